"""The style of the page: light and dark, on a screen of any width."""

from collections.abc import Mapping

from mmkd_video.workflows.report.looks import COLORS

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--text)}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:1200px;margin:0 auto;padding:0 16px;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:1.2rem 0 .4rem}
h2{font-size:1.3rem;line-height:1.25;margin:2.4rem 0 .2rem;padding-top:1rem;border-top:3px solid var(--text)}
h3{font-size:1.15rem;margin:2rem 0 .5rem}
h4{font-size:.95rem;margin:1.1rem 0 .3rem}
p{margin:.4rem 0}
a{color:var(--alone)}
.muted,figcaption,.path{color:var(--quiet);font-size:.82rem;line-height:1.4}
.versus{font-weight:600;margin-top:.8rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,165px),1fr));gap:10px;margin:.5rem 0 1rem}
.tile{background:var(--card);border-radius:8px;padding:10px 12px}
.tile .name{font-size:.82rem;color:var(--quiet)}
.tile .value{font-size:1.35rem;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums}
.charts{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start}
.beside,.sides{display:grid;grid-template-columns:minmax(0,1fr);gap:4px 24px;align-items:start}
figure{margin:0;flex:1 1 min(100%,345px);min-width:0;max-width:430px}
figure{background:var(--card);border-radius:8px;padding:8px 12px 12px}
figure h4{margin:.2rem 0 .3rem}
.chart{display:block;width:100%;height:auto;font-size:11px;font-family:inherit}
.chart text{fill:var(--quiet)}
.chart .axis{fill:var(--text)}
.middle{text-anchor:middle}.end{text-anchor:end;dominant-baseline:central}
.rule{stroke:var(--rule);stroke-width:1}.base{stroke:var(--quiet);stroke-width:1;fill:none}
.seed,.mean,.goal,.guide,.stroke{fill:none;stroke:currentColor;stroke-linejoin:round;stroke-linecap:round}
.seed{stroke-width:1;opacity:.38}
.mean{stroke-width:2.6}
.goal{stroke-width:1.8;stroke-dasharray:6 4}
.guide{stroke-width:1;opacity:.6}
.stroke{stroke-width:2.2}
.dot{fill:currentColor;fill-opacity:.85}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.8rem;margin:0 0 .3rem}
.legend span{display:inline-flex;align-items:center;gap:5px}
.sign{width:20px;height:12px;flex:none}
.box{overflow-x:auto;margin:.6rem 0;max-width:100%}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
th,td{padding:4px 10px;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap;font-weight:400}
thead th{color:var(--quiet);font-size:.8rem}
.number{text-align:right}
.matrix td,.matrix th{padding:3px 7px}
.better{background:color-mix(in srgb,var(--alone) var(--strength),transparent)}
.worse{background:color-mix(in srgb,var(--distilled) var(--strength),transparent)}
details{margin:.7rem 0}summary{cursor:pointer;padding:.2rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,250px),1fr));gap:14px}
.card{background:var(--card);border-radius:8px;padding:12px;min-width:0}
.card p{margin:.25rem 0}
.screen img,.screen.empty{display:block;width:176px;max-width:100%;height:auto;border-radius:4px;background:var(--rule)}
.screen.empty{height:100px;line-height:100px;text-align:center;color:var(--quiet);font-size:.82rem}
.class{font-size:.86rem;margin-top:.5rem!important}.true{font-weight:650}
.card div>div{display:grid;grid-template-columns:minmax(0,5.2rem) 1fr 3.2rem;gap:6px}
.card div>div{align-items:center;font-size:.78rem}
.who{color:var(--quiet);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.lane{background:var(--rule);height:9px;border-radius:3px;overflow:hidden;display:block}
.bar{display:block;height:100%;background:currentColor}
.problems{font-size:.85rem}
pre{overflow-x:auto;font-size:.8rem;background:var(--card);padding:10px 12px;border-radius:8px;white-space:pre}
footer{padding:24px 16px 40px}
@media(min-width:860px){.sides{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media(min-width:860px){.beside{grid-template-columns:minmax(0,430px) minmax(0,1fr)}}
main>h2:first-child{margin-top:.6rem}
@media(max-width:480px){figure{max-width:none}}
@media(max-width:480px){th,td{padding:4px 6px}table{font-size:.8rem}.tile .value{font-size:1.12rem}}
@media print{body{background:#fff}.card,figure{break-inside:avoid}}
"""
_SCREENS = (
    dict(paper='#ffffff', card='#f4f5f7', text='#16181c', quiet='#5b6068', rule='#dcdfe4'),
    dict(paper='#101317', card='#1a1f25', text='#e9ebee', quiet='#a3aab4', rule='#333a43'),
)


def style_sheet() -> str:
    """Return the style sheet, with the colours of all looks."""
    light, dark = (
        _variables(screen | {name: pair[at] for name, pair in COLORS.items()}) for at, screen in enumerate(_SCREENS)
    )
    looks = ''.join(f'.c-{name},.b-{name}{{color:var(--{name})}}' for name in COLORS)
    scheme = f':root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}'
    return f'{scheme}{_RULES}{looks}'.replace('\n', '')


def _variables(values: Mapping[str, str]) -> str:
    return ''.join(f'--{key}:{value};' for key, value in values.items())

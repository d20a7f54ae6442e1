// Draws the diagrams of a page, in the colours of the page.
const drawings = () => [...document.querySelectorAll('pre.mermaid')];

async function draw() {
  const asked = document.body.dataset.theme;
  const dark = asked === 'dark' || (asked !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  for (const drawing of drawings()) {
    drawing.dataset.source ??= drawing.textContent;
    drawing.textContent = drawing.dataset.source;
    drawing.removeAttribute('data-processed');
  }
  mermaid.initialize({startOnLoad: false, theme: dark ? 'dark' : 'neutral'});
  await mermaid.run({nodes: drawings()});
}

document.addEventListener('DOMContentLoaded', () => {
  draw();
  new MutationObserver(draw).observe(document.body, {attributeFilter: ['data-theme']});
});

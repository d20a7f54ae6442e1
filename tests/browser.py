"""A headless Chromium, where there is one, spoken to over a pipe: pages as a person would see them."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')
FLAGS = '--headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking'
READ_BY_BROWSER, WRITTEN_BY_BROWSER = 3, 4  # file descriptors, as --remote-debugging-pipe has them
LOGGED = {'Log.entryAdded', 'Runtime.consoleAPICalled', 'Runtime.exceptionThrown', 'Network.requestWillBeSent'}


def find_browser():
    """Return the path of a Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a Chromium of its own."""

    def __init__(self, program, folder, seconds=120):
        self._deadline, self._count, self._rest, self.events = time.monotonic() + seconds, 0, b'', []
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = [program, *FLAGS.split(), '--remote-debugging-pipe', f'--user-data-dir={folder}', 'about:blank']
        # both ends get numbers above those that the shell gives away, so that none is overwritten before it is copied
        script = f'exec "$@" {READ_BY_BROWSER}<&{theirs_in} {WRITTEN_BY_BROWSER}>&{theirs_out}'
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = (theirs_in, theirs_out)
        self._process = subprocess.Popen(['bash', '-c', script, 'bash', *command], pass_fds=ends, **quiet)
        for end in ends:
            os.close(end)
        target = next(each for each in self._call('Target.getTargets')['targetInfos'] if each['type'] == 'page')
        self._session = None
        attached = self._call('Target.attachToTarget', targetId=target['targetId'], flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._call(f'{domain}.enable')

    def open(self, path, width, dark=False):
        """Open a file on a screen of a width."""
        self.events.clear()
        scheme = [dict(name='prefers-color-scheme', value='dark' if dark else 'light')]
        self._call('Emulation.setEmulatedMedia', features=scheme)
        size = dict(width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self._call('Emulation.setDeviceMetricsOverride', **size)
        self._call('Page.navigate', url=Path(path).absolute().as_uri())
        while not any(each['method'] == 'Page.loadEventFired' for each in self.events):
            self._read()

    def ask(self, expression):
        """Return what JavaScript says about the page."""
        return self._call('Runtime.evaluate', expression=expression, returnByValue=True)['result'].get('value')

    def screenshot(self, path):
        """Write a picture of the whole page."""
        shot = self._call('Page.captureScreenshot', captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shot['data']))

    def logged(self):
        """Return what the page has written to the console, and what it has asked the network for."""
        return [each for each in self.events if each['method'] in LOGGED]

    def close(self):
        """End the browser."""
        self._process.terminate()
        self._process.wait(30)
        os.close(self._in)
        os.close(self._out)

    _session = None

    def _call(self, method, **params):
        self._count += 1
        message = dict(id=self._count, method=method, params=params)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        wanted = self._count
        while True:
            found = self._read()
            if found.get('id') == wanted:
                assert 'error' not in found, f'{method}: {found["error"]}'
                return found['result']

    def _read(self):
        while b'\0' not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0, self._deadline - time.monotonic()))
            assert ready, 'the browser does not answer'
            part = os.read(self._in, 1 << 20)
            assert part, 'the browser has ended'
            self._rest += part
        line, _, self._rest = self._rest.partition(b'\0')
        found = json.loads(line)
        if 'method' in found:
            self.events.append(found)
        return found

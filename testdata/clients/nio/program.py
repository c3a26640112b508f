"""The server under test: a program of its own, on a data directory."""

import atexit
import os
import re
import signal
import subprocess
import tempfile
import threading


class Program:
    def __init__(self):
        """Runs the program that HOMESERVER_BINARY names until it serves."""
        self._data = tempfile.TemporaryDirectory(prefix="homeserver-")
        self._log = []
        self._process = subprocess.Popen(
            [os.environ["HOMESERVER_BINARY"], "-listen", "127.0.0.1:0", "-name", "example.org", "-data", self._data.name,
             "-registration", "open", "-rate-limits=false"],
            stderr=subprocess.PIPE, text=True,
        )
        atexit.register(self._process.kill)
        for line in self._process.stderr:
            self._log.append(line)
            if found := re.search(r"msg=serve url=(\S+)", line):
                self.url = found[1]
                break
        else:
            raise RuntimeError("the program does not serve:\n" + "".join(self._log))
        self._reader = threading.Thread(target=lambda: self._log.extend(self._process.stderr))
        self._reader.start()

    def stop(self):
        """Ends the program gently; it must have logged no error."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait()
        self._reader.join()
        self._process.stderr.close()
        self._data.cleanup()
        log = "".join(self._log)
        if status != 0 or "level=ERROR" in log:
            raise RuntimeError(f"the program ends with {status} and has logged:\n{log}")

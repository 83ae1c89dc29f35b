it('before', () => {});
it('is killed', (done) => { process.kill(process.pid, 'SIGKILL'); setTimeout(done, 1000); });
it('after', () => {});

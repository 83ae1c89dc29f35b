it('before', () => {});
it('is killed', () => new Promise((resolve) => { process.kill(process.pid, 'SIGKILL'); setTimeout(resolve, 1000); }));
it('after', () => {});

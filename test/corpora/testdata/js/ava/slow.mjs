import test from 'ava';

test('too slow', async (t) => { t.timeout(50); await new Promise((resolve) => setTimeout(resolve, 5000)); t.pass(); });

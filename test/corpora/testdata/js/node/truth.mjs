// A reporter of our own for node:test. It writes each event that ends a test as a line of JSON.
export default async function* truth(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, nesting, file, skip, todo, details } = data;
    yield JSON.stringify({
      name, nesting, file, failed: type === 'test:fail', kind: details?.type,
      skipped: skip !== undefined && skip !== false, todo: todo !== undefined && todo !== false,
    }) + '\n';
  }
}

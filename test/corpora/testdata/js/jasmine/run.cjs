// Runs one spec with the reporters of jasmine-reporters, and writes passed/failing/skipped to $TRUTH.
const fs = require('fs');
const { JUnitXmlReporter, TapReporter } = require('jasmine-reporters');

(async () => {
  const { default: Jasmine } = await import('jasmine');
  const jasmine = new Jasmine({ projectBaseDir: process.cwd() });
  jasmine.env.configure({ random: false });
  if (process.env.OUTPUT === 'JUnit') jasmine.addReporter(new JUnitXmlReporter({ savePath: process.env.TESTRUN_RESULTS }));
  else jasmine.env.clearReporters(), jasmine.addReporter(new TapReporter());
  const counted = { passed: 0, failed: 0, pending: 0, excluded: 0 };
  jasmine.addReporter({ specDone({ status }) { counted[status]++; fs.writeFileSync(process.env.TRUTH, `${counted.passed}/${counted.failed}/${counted.pending + counted.excluded}`); } });
  jasmine.addMatchingSpecFiles([process.env.SUITE]);
  await jasmine.execute([process.env.SUITE]);
})();

package main

// describeSuites are those of jest and vitest, which read the same files. Their own counts leave out what is no test, such as a
// hook, or a file that cannot be loaded; want has what is right then, by the name of the suite.
func describeSuites(want map[string]by[string]) []suite {
	suites := describe()
	for i := range suites {
		suites[i].want = want[suites[i].name]
	}
	return suites
}

func describe() []suite {
	return []suite{
		{name: "passing", arguments: "passing.test.js"},
		{name: "failing", arguments: "failing.test.js"},
		{name: "skipped and todo", arguments: "skipped.test.js"},
		{name: "expected to fail", arguments: "expected-to-fail.test.js"},
		{name: "hooks fail", arguments: "hooks.test.js"},
		{name: "the last hook fails", arguments: "teardown.test.js"},
		{name: "exits with 0 in the middle", arguments: "crash-exit.test.js"},
		{name: "throws while it is loaded", arguments: "throws-at-load.test.js"},
		{name: "a syntax error", arguments: "no-syntax.test.js"},
		{name: "nested", arguments: "nested.test.js"},
		{name: "same names", arguments: "same-names.test.js"},
		{name: "odd names", arguments: "odd-names.test.js"},
		{name: "prints what looks like results", arguments: "output.test.js"},
		{name: "too slow", arguments: "timeout.test.js"},
		{name: "no tests", arguments: "empty.test.js"},
		{name: "no such file", arguments: "nowhere.test.js"},
		{name: "a filter that matches nothing", arguments: "-t nothing passing.test.js"},
		{name: "several files", arguments: "files/"},
	}
}

func jest() tool {
	const command = "JEST_JUNIT_OUTPUT_FILE=$TESTRUN_RESULTS/jest.xml jest --json --outputFile=$TRUTH $SUITE "
	return tool{
		name: "jest", folder: "js/jest", version: "jest --version",
		outputs: []output{
			{"JUnit", command + "--reporters=default --reporters=jest-junit", jestNumbers},
			{"TAP", command + "--reporters=jest-tap-reporter", jestNumbers},
		},
		suites: append(describeSuites(map[string]by[string]{
			"skipped and todo":           {"JUnit": "2/0/2", "TAP": "1/0/2"},
			"the last hook fails":        {"JUnit": "1/1/0", "TAP": "0/0/0"},
			"exits with 0 in the middle": nothing,
			"no such file":               nothing,
			"odd names":                  {"JUnit": "30/6/0", "TAP": "29/4/3"},
		}), []suite{
			{name: "killed in the middle", arguments: "-i crash-signal.test.js", want: nothing},
			{name: "run again", arguments: "retried.jest.test.js"},
			{name: "run again and passed", arguments: "retried-passing.jest.test.js"},
			{name: "nothing is no failure", arguments: "--passWithNoTests nowhere.test.js"},
		}...),
	}
}

func vitest() tool {
	const command = "vitest run --globals --reporter=json --outputFile.json=$TRUTH "
	return tool{
		name: "vitest", folder: "js/jest", version: "vitest --version | sed 's|^vitest/||; s| .*||'",
		outputs: []output{
			{"JUnit", command + "--reporter=junit --outputFile.junit=$TESTRUN_RESULTS/vitest.xml $SUITE", jestNumbers},
			{"TAP", command + "--reporter=tap $SUITE", jestFiles},
			{"TAP, flat", command + "--reporter=tap-flat $SUITE", jestNumbers},
			{"JUnit and TAP", command + "--reporter=junit --outputFile.junit=$TESTRUN_RESULTS/vitest.xml --reporter=tap-flat $SUITE", jestNumbers},
		},
		suites: append(describeSuites(map[string]by[string]{
			"hooks fail":                {"JUnit": "2/3/2", "JUnit and TAP": "2/3/2"},
			"the last hook fails":       {"JUnit": "1/1/0", "JUnit and TAP": "1/1/0"},
			"throws while it is loaded": counted("0/1/0"),
			"a syntax error":            counted("0/1/0"),
			"no tests":                  counted("0/1/0"),
			"no such file":              {"JUnit": "0/0/0", "": "0/0/1"},
			// It writes a test without a body as ok, with # TODO.
			"skipped and todo": {"TAP, flat": "2/0/2"},
			// A file of which nothing runs is a skipped one in TAP.
			"a filter that matches nothing": {"TAP": "0/0/1"},
		}), []suite{
			{name: "run again", arguments: "retried.vitest.test.js"},
			{name: "run again and passed", arguments: "retried-passing.vitest.test.js"},
			{name: "nothing is no failure", arguments: "--passWithNoTests nowhere.test.js", want: by[string]{"JUnit": "0/0/0", "": "0/0/1"}, note: planOfNone},
		}...),
	}
}

func playwright() tool {
	const command = "PLAYWRIGHT_JSON_OUTPUT_FILE=$TRUTH PLAYWRIGHT_JUNIT_OUTPUT_FILE=$TESTRUN_RESULTS/playwright.xml playwright test --reporter=json,junit,line $SUITE"
	return tool{
		name: "playwright", folder: "js/playwright", version: "playwright --version | cut -d' ' -f2",
		outputs: []output{
			{"JUnit", command, playwrightStats},
			{"JUnit, with each try", "PLAYWRIGHT_JUNIT_INCLUDE_RETRIES=1 " + command, playwrightStats},
		},
		suites: []suite{
			{name: "passing", arguments: "run/passing.spec.js"},
			{name: "failing", arguments: "failing.spec.js"},
			{name: "skipped and fixme", arguments: "skipped.spec.js"},
			{name: "expected to fail", arguments: "expected-to-fail.spec.js"},
			{name: "hooks fail", arguments: "hooks.spec.js"},
			{name: "exits with 0 in the middle", arguments: "crash-exit.spec.js"},
			{name: "killed in the middle", arguments: "crash-signal.spec.js"},
			{name: "throws while it is loaded", arguments: "throws-at-load.spec.js"},
			{name: "nested", arguments: "nested.spec.js"},
			{name: "same names", arguments: "same-names.spec.js"},
			{name: "odd names", arguments: "odd-names.spec.js"},
			{
				name: "prints what looks like results", arguments: "output.spec.js", want: counted("3/0/0 Failed"),
				note: "whole TAP that a test prints counts with `Auto`, beside the file: choose a format where tests do that",
			},
			{name: "too slow", arguments: "timeout.spec.js"},
			{name: "run again", arguments: "--retries=2 run/retried.spec.js"},
			{name: "run again and passed", arguments: "--retries=2 run/retried-passing.spec.js"},
			{name: "flaky tests fail", arguments: "--retries=2 --fail-on-flaky-tests run/retried-passing.spec.js"},
			{name: "repeated", arguments: "--repeat-each=2 nested.spec.js", want: counted("6/1/2"), note: "a case that fails again under its name is counted once"},
			{name: "two projects", arguments: "--config=projects.config.js nested.spec.js"},
			{name: "no tests", arguments: "empty.spec.js"},
			{name: "a filter that matches nothing", arguments: "--grep=nothing run/passing.spec.js"},
			{name: "several files", arguments: "files"},
			{name: "stops at the first failure", arguments: "-x failing.spec.js"},
		},
	}
}

func ava() tool {
	return tool{
		name: "ava", folder: "js/ava", version: "ava --version",
		outputs: []output{{"TAP", "ava --tap $SUITE", nil}},
		suites: []suite{
			{name: "passing", arguments: "passing.mjs", want: counted("2/0/0")},
			{name: "failing", arguments: "failing.mjs", want: counted("1/3/0")},
			{name: "skipped, todo and failing", arguments: "skipped.mjs", want: counted("2/0/2")},
			{name: "passes although it should fail", arguments: "unexpected.mjs", want: counted("0/1/0")},
			{name: "a hook fails", arguments: "hooks.mjs", want: counted("0/1/0")},
			{name: "a hook of each fails", arguments: "each.mjs", want: counted("1/1/0")},
			{name: "exits with 0 in the middle", arguments: "exit.mjs", want: nothing, note: "ava 6 crashes itself there: its exit code decides"},
			{name: "throws while it is loaded", arguments: "throws.mjs", want: counted("0/2/0")},
			{name: "odd names", arguments: "odd.mjs", want: counted("15/3/2"), note: namesUnescaped},
			{name: "prints what looks like results", arguments: "output.mjs", want: counted("1/0/0")},
			{name: "too slow", arguments: "slow.mjs", want: counted("0/1/0")},
			{name: "no tests", arguments: "empty.mjs", want: counted("0/1/0")},
			{name: "a filter that matches nothing", arguments: "--match=nothing passing.mjs", want: counted("0/0/1"), note: planOfNone},
			{name: "several files", arguments: "passing.mjs failing.mjs skipped.mjs", want: counted("5/3/2")},
		},
	}
}

func qunit() tool {
	return tool{
		name: "QUnit", folder: "js/qunit", version: "qunit --version",
		outputs: []output{{"TAP", "qunit $SUITE", nil}},
		suites: []suite{
			{name: "passing", arguments: "passing.js", want: counted("2/0/0")},
			{name: "failing", arguments: "failing.js", want: counted("2/6/0")},
			{name: "skipped and todo", arguments: "skipped.js", want: counted("1/0/2")},
			{name: "passes although it should fail", arguments: "unexpected.js", want: counted("0/1/0")},
			{name: "odd names", arguments: "odd-names.js", want: counted("17/3/1"), note: namesUnescaped},
			{name: "exits with 0 in the middle", arguments: "crash-exit.js", want: counted("1/0/0 Failed"), note: "its exit code is 0 although tests are missing: TAP without a plan shows it"},
			{name: "throws while it is loaded", arguments: "throws.js", want: counted("0/1/0")},
			{name: "no tests", arguments: "empty.js", want: counted("0/1/0")},
			{name: "a filter that matches nothing", arguments: "--filter=nothing passing.js", want: counted("0/1/0")},
			{name: "several files", arguments: "passing.js failing.js skipped.js", want: counted("5/6/2")},
		},
	}
}

func jasmine() tool {
	return tool{
		name: "jasmine", folder: "js/jasmine", version: "node -p \"require('../../node_modules/jasmine/package.json').version\"",
		outputs: []output{{"JUnit", "node run.cjs", written}, {"TAP", "node run.cjs", written}},
		suites: []suite{
			{name: "passing", arguments: "passing.js"},
			{name: "failing", arguments: "failing.js"},
			{name: "skipped and pending", arguments: "skipped.js"},
			{name: "hooks fail", arguments: "hooks.js"},
			{name: "nested", arguments: "nested.js"},
			{name: "odd names", arguments: "odd-names.js", want: by[string]{"JUnit": "30/6/0", "TAP": "29/4/3"}, note: namesUnescaped},
		},
	}
}

func zora() tool {
	return tool{
		name: "zora", folder: "js/zora", version: "node -p \"require('../../node_modules/zora/package.json').version\"",
		outputs: []output{{"TAP", "node $SUITE", nil}},
		suites: []suite{
			{name: "passing", arguments: "passing.mjs", want: counted("2/0/1")},
			{name: "failing", arguments: "failing.mjs", want: counted("1/2/0")},
		},
	}
}

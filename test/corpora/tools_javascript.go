package main

const (
	// planOfNone is what TAP says of a plan of no tests, and what prove makes of it.
	planOfNone = "a plan of 1..0 says that all is skipped, which is counted as one skipped case"
	// namesUnescaped is how some tools write TAP.
	namesUnescaped = "it writes names as they are, and one that has `# SKIP` or `# TODO` in it is a directive"
)

func tape() tool {
	return tool{
		name: "tape", folder: "js/tape", version: "node -p \"require('tape/package.json').version\"",
		outputs: []output{{"TAP", "tape $SUITE", tapeLines}},
		suites: []suite{
			{name: "passing", arguments: "passing.js"},
			{name: "failing", arguments: "failing.js"},
			{name: "skipped and todo", arguments: "skipped.js", want: by[string]{"": "3/0/5"}},
			{name: "exits with 0 in the middle", arguments: "crash-exit.js"},
			{name: "killed in the middle", arguments: "crash-signal.js", want: by[string]{"": "1/0/0"}},
			{name: "throws in the middle", arguments: "crash-throw.js", want: by[string]{"": "1/0/0"}},
			{name: "gives up", arguments: "bail-out.js", want: by[string]{"": "1/0/0"}},
			{name: "plans", arguments: "plan.js"},
			{name: "nested", arguments: "nested.js"},
			{name: "same names", arguments: "same-names.js"},
			{name: "odd names", arguments: "odd-names.js"},
			{name: "prints what looks like results", arguments: "output.js"},
			{name: "no tests", arguments: "empty.js", want: by[string]{"": "0/0/1"}, note: planOfNone},
			{name: "a filter", arguments: "only.js"},
			{name: "no such file", arguments: "nowhere.js", want: nothing},
			{name: "several files", arguments: "files/a.js files/b.js files/c.js"},
		},
	}
}

func mocha() tool {
	// mocha has one reporter at a time, so it runs once more for its own counts.
	const truth = "mocha --reporter=json --reporter-option=output=$TRUTH $SUITE >$TRUTH.log 2>&1 || :; rm -f tried; "
	return tool{
		name: "mocha", folder: "js/mocha", version: "mocha --version",
		outputs: []output{
			{"TAP", truth + "mocha --reporter=tap $SUITE", mochaStats},
			{"TAP 13", truth + "mocha --reporter=tap --reporter-option=tapVersion=13 $SUITE", mochaStats},
			{"JUnit", truth + "mocha --reporter=mocha-junit-reporter --reporter-option=mochaFile=$TESTRUN_RESULTS/mocha.xml --reporter-option=includePending=true $SUITE", mochaStats},
			{"xunit", truth + "mocha --reporter=xunit --reporter-option=output=$TESTRUN_RESULTS/mocha.xml $SUITE", mochaStats},
		},
		suites: []suite{
			{name: "passing", arguments: "passing.js"},
			{name: "failing", arguments: "failing.js"},
			{name: "done is called twice", arguments: "twice.js", want: by[string]{"": "2/1/0", "xunit": "1/1/0"}, note: "xunit writes both calls as failures of one test, which counts once"},
			{name: "skipped", arguments: "skipped.js"},
			{name: "hooks fail", arguments: "hooks.js"},
			{name: "exits in the middle", arguments: "crash-exit.js", want: by[string]{"TAP 13": "1/0/0", "": "0/0/0"}},
			{name: "exits with 0 in the middle", arguments: "crash-exit-zero.js", want: by[string]{"TAP 13": "1/0/0 Failed", "xunit": "0/0/0 Failed", "": "0/0/0"}, note: "its exit code is 0 although tests are missing: TAP with a version and no plan shows it, and an empty file, but one line of TAP is no evidence, and no file neither"},
			{name: "killed in the middle", arguments: "crash-signal.js", want: by[string]{"TAP 13": "1/0/0", "": "0/0/0"}},
			{name: "an error outside of tests", arguments: "crash-uncaught.js"},
			{name: "throws while it is loaded", arguments: "throws-at-load.js", want: nothing},
			{name: "nested", arguments: "nested.js"},
			{name: "retried", arguments: "retried.js"},
			{name: "same names", arguments: "same-names.js"},
			{name: "odd names", arguments: "odd-names.js"},
			{name: "prints what looks like results", arguments: "output.js"},
			{name: "too slow", arguments: "timeout.js"},
			{name: "no tests", arguments: "empty.js", want: by[string]{"": "0/0/0", "TAP 13": "0/0/1"}, note: planOfNone},
			{name: "a filter that matches nothing", arguments: "--grep=nothing passing.js", want: by[string]{"": "0/0/0", "TAP 13": "0/0/1"}},
			{name: "several files", arguments: "files/a.js files/b.js files/c.js"},
			{name: "several files at once", arguments: "--parallel files/a.js files/b.js files/c.js", want: by[string]{"": "5/1/0", "JUnit": "0/0/0"}, note: "mocha-junit-reporter 2.2.1 crashes there"},
			{name: "stops at the first failure", arguments: "--bail failing.js"},
			{name: "pending tests are forbidden", arguments: "--forbid-pending skipped.js", want: nothing},
		},
	}
}

package main

func nodeTest() tool {
	const truth = ` --test-reporter=./truth.mjs --test-reporter-destination=$TRUTH `
	const tap = ` --test-reporter=tap --test-reporter-destination=stdout `
	const junit = ` --test-reporter=junit --test-reporter-destination=$TESTRUN_RESULTS/node.xml `
	return tool{
		name: "node:test", folder: "js/node", version: "node --version",
		outputs: []output{
			{"TAP", "node --test" + tap + truth + "$SUITE", nodeTop},
			{"JUnit", "node --test" + junit + truth + "$SUITE", nodeLeaves},
			{"JUnit and TAP", "node --test" + junit + tap + truth + "$SUITE", nodeLeaves},
			{"TAP, without --test", "node" + tap + truth + "$SUITE", nodeTop},
		},
		suites: []suite{
			{name: "passing", arguments: "passing.test.mjs"},
			{name: "failing", arguments: "failing.test.mjs"},
			{name: "skipped and todo", arguments: "skipped.test.mjs"},
			{name: "hooks fail", arguments: "hooks.test.mjs"},
			{name: "exits in the middle", arguments: "crash-exit.test.mjs"},
			{name: "exits with 0 in the middle", arguments: "crash-exit-zero.test.mjs"},
			{name: "killed in the middle", arguments: "crash-signal.test.mjs"},
			{name: "an error outside of tests", arguments: "crash-uncaught.test.mjs"},
			{name: "throws while it is loaded", arguments: "throws-at-load.test.mjs"},
			{name: "a syntax error", arguments: "no-syntax.test.mjs"},
			{name: "nested", arguments: "nested.test.mjs"},
			{name: "same names", arguments: "same-names.test.mjs"},
			{name: "odd names", arguments: "odd-names.test.mjs"},
			{
				name: "prints what looks like results", arguments: "output.test.mjs", want: by[string]{"": "2/0/0", "TAP, without --test": "1/1/0 Failed"},
				note: "without --test what a test prints stands among the TAP, as it is",
			},
			{name: "too slow", arguments: "timeout.test.mjs"},
			{name: "no tests", arguments: "empty.test.mjs"},
			{name: "no such file", arguments: "nowhere.test.mjs"},
			{name: "a filter that matches nothing", arguments: "--test-name-pattern=nothing passing.test.mjs"},
			{name: "a filter", arguments: "--test-name-pattern=adds nested.test.mjs"},
			{name: "the same test again", arguments: "retried.test.mjs", known: by[string]{"JUnit and TAP": "a failure and a pass of one name count as one flaky case, since TAP tells of the failure"}},
			{name: "planned subtests", arguments: "plan.test.mjs"},
			{name: "several files", arguments: "files/a.test.mjs files/b.test.mjs files/c.test.mjs files/helper.mjs files/d.test.mjs"},
			{name: "several files that pass", arguments: "files-passing/a.test.mjs files-passing/helper.mjs files-passing/b.test.mjs files-passing/d.test.mjs"},
			{name: "with coverage", arguments: "--experimental-test-coverage passing.test.mjs"},
		},
	}
}

package main

// batsFile is how bats is at odds with itself.
const batsFile = "its file has other cases than its TAP: a failing teardown of the file is the last test's, a killed test has passed"

func bats() tool {
	return tool{
		name: "bats", folder: "bats", version: "bats --version | cut -d' ' -f2",
		outputs: []output{
			{"TAP", "bats --tap $SUITE", nil},
			{"TAP, with times", "bats --tap --timing $SUITE", nil},
			{"TAP 13, four at once", "bats --formatter tap13 --jobs 4 $SUITE", nil},
			{"JUnit", "bats --formatter junit $SUITE >$TESTRUN_RESULTS/bats.xml", nil},
		},
		suites: []suite{
			{name: "passing", arguments: "passing.bats", want: counted("2/0/0")},
			{name: "failing", arguments: "failing.bats", want: counted("1/2/0")},
			{name: "skipped", arguments: "skipped.bats", want: counted("1/0/2")},
			{name: "setup and teardown fail", arguments: "hooks.bats", want: counted("1/2/0")},
			{name: "setup of the file fails", arguments: "setup-file.bats", want: counted("0/1/0")},
			{name: "teardown of the file fails", arguments: "teardown-file.bats", want: by[string]{"": "1/1/0", "JUnit": "0/1/0"}, note: batsFile},
			{name: "exits in the middle", arguments: "exits.bats", want: counted("2/2/0")},
			{name: "killed in the middle", arguments: "killed.bats", want: by[string]{"": "2/0/0", "JUnit": "3/0/0"}, note: batsFile},
			{name: "a syntax error", arguments: "no-syntax.bats", want: counted("0/1/0")},
			{
				name: "odd names", arguments: "odd-names.bats", want: counted("10/4/0"),
				names: by[[]string]{
					"":                     {"ends in {", "answers in 5ms", "ends in { and fails {", "fails in 5ms"},
					"TAP, with times":      nil,
					"TAP 13, four at once": {"ends in {", "answers", "ends in { and fails {", "fails"},
				},
				note: "with times it writes them behind the names, and with TAP 13 it takes the end of a name for a time",
			},
			{
				name: "names like directives", arguments: "directives.bats", want: by[string]{"": "0/0/2", "JUnit": "1/1/0"},
				note: "in TAP its names that begin with `# SKIP` and `# TODO` are directives",
			},
			{name: "prints what looks like results", arguments: "output.bats", want: counted("2/0/0")},
			{name: "too slow", arguments: "slow.bats", want: counted("1/1/0")},
			{name: "no tests", arguments: "empty.bats", want: by[string]{"": "0/0/0", "TAP 13, four at once": "0/0/1"}, note: planOfNone},
			{name: "no such file", arguments: "nowhere.bats", want: nothing},
			{name: "a filter", arguments: "--filter opens files", want: counted("3/0/0")},
			{name: "several files", arguments: "files", want: counted("5/1/0")},
		},
	}
}

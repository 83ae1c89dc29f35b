package main

func prove() tool {
	const truth = "perl truth.pl $SUITE >$TRUTH; "
	return tool{
		name: "prove", folder: "perl", version: "perl -MTAP::Harness -e 'print TAP::Harness->VERSION'",
		outputs: []output{
			{"TAP", truth + "prove -v $SUITE", written},
			{"TAP, four at once", truth + "prove -v -j4 $SUITE", written},
			{"TAP and errors together", truth + "prove -v --merge $SUITE", written},
		},
		suites: append(perlSuites(), []suite{
			{name: "a folder", arguments: "files"},
			{name: "a folder that passes", arguments: "t"},
			{name: "no such file", arguments: "nowhere.t", want: counted("0/0/0 Error")},
		}...),
	}
}

func perl() tool {
	return tool{
		name: "Perl's Test::More", folder: "perl", version: "perl -MTest::More -e 'print Test::More->VERSION'",
		outputs: []output{{"TAP of the file", "perl truth.pl --tests $SUITE >$TRUTH; perl $SUITE", written}},
		suites:  perlSuites(),
	}
}

func perlSuites() []suite {
	return []suite{
		{name: "passing", arguments: "passing.t"},
		{name: "failing", arguments: "failing.t"},
		{name: "skipped and todo", arguments: "skipped.t"},
		{name: "all skipped", arguments: "skip-all.t"},
		{name: "nested", arguments: "nested.t"},
		{name: "nested, passing", arguments: "nested-passing.t"},
		{name: "exits with 0 in the middle", arguments: "crash-exit-zero.t"},
		{name: "dies in the middle", arguments: "crash-die.t", want: by[string]{"": "1/1/0", "TAP of the file": "0/0/0"}},
		{name: "killed in the middle", arguments: "crash-signal.t"},
		{name: "bails out", arguments: "bail-out.t", want: by[string]{"": "1/0/0"}},
		{
			name: "more than planned", arguments: "too-many.t", want: by[string]{"": "3/1/0", "TAP of the file": "3/0/0"},
			note: "TAP::Harness calls the test too many a failed one; here it has passed, and the file is wrong",
		},
		{name: "all pass, and it exits with 3", arguments: "passes-exits.t"},
		{name: "a syntax error", arguments: "no-syntax.t"},
		{name: "no tests", arguments: "empty.t"},
		{name: "odd names", arguments: "odd-names.t"},
		{name: "prints what looks like results", arguments: "output.t", want: by[string]{"": "1/0/0", "TAP and errors together": "0/1/0"}, note: "with --merge prove itself takes standard error for TAP"},
		{
			name: "prints an indented not ok", arguments: "inner.t", want: by[string]{"": "0/1/0 Failed"},
			note: "an indented `not ok` in front of `ok` is taken for its subtest's, though prove does not look at it",
		},
		{name: "the old Test.pm", arguments: "test-pm.t"},
		{name: "TAP 13 by hand", arguments: "tap13.t"},
		{name: "not numbered", arguments: "unnumbered.t"},
	}
}

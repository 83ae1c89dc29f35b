package main

func pytest() tool {
	return tool{
		name: "pytest", folder: "pytest", version: "pytest --version | cut -d' ' -f2",
		outputs: []output{
			{"JUnit", "pytest --junitxml=$TESTRUN_RESULTS/pytest.xml $SUITE", written},
			{"JUnit (legacy, with output)", "pytest -o junit_family=xunit1 -o junit_logging=all --junitxml=$TESTRUN_RESULTS/pytest.xml $SUITE", written},
		},
		suites: []suite{
			{name: "passing", arguments: "passing.py"},
			{name: "failing", arguments: "failing.py"},
			{name: "skipped and xfail", arguments: "skipped.py"},
			{name: "skipped and xfail, passing", arguments: "skipped_only.py"},
			{name: "a module is skipped", arguments: "skipped_module.py"},
			{name: "fixtures fail", arguments: "hooks.py"},
			{
				name: "exits with 0 in the middle", arguments: "crash_exit.py", note: "it leaves no file and ends with 0: nothing shows that tests are missing",
				want: nothing,
			},
			{name: "killed in the middle", arguments: "crash_signal.py", want: nothing},
			{name: "pytest.exit with 0", arguments: "crash_pytest_exit.py", want: by[string]{"": "2/0/0"}, note: "its file counts the test that left as passed"},
			{name: "interrupted", arguments: "crash_interrupted.py", want: by[string]{"": "2/0/0"}, note: "its file counts the test that left as passed"},
			{name: "cannot be imported", arguments: "cannot_import.py"},
			{name: "a syntax error", arguments: "no_syntax.py"},
			{name: "parametrized, odd names, same names", arguments: "parametrized.py"},
			{name: "same names in classes", arguments: "same_names_test.py"},
			{name: "unittest", arguments: "unittests.py"},
			{name: "prints what looks like results", arguments: "output.py"},
			{name: "prints what looks like results, on the terminal", arguments: "-s output.py"},
			{name: "no tests", arguments: "empty.py"},
			{name: "no such file", arguments: "nowhere.py"},
			{name: "a filter that matches nothing", arguments: "-k nothing passing.py"},
			{name: "several files", arguments: "files"},
			{name: "several files at once", arguments: "-n2 files"},
			{name: "crashes a worker", arguments: "-n2 crash_signal.py"},
			{name: "stops at the first failure", arguments: "-x failing.py"},
			{name: "run again", arguments: "--reruns=2 retried.py"},
			{name: "run again, in vain", arguments: "--reruns=2 failing.py"},
		},
	}
}

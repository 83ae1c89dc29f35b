package main

// notRun is how ctest is at odds with itself.
const notRun = "its file calls a test skipped that could not be run, its exit code and its summary call it failed"

func ctest() tool {
	return tool{
		name: "ctest", folder: "ctest", version: "ctest --version | sed -n '1s/.* //p'", build: "cmake -S . -B build",
		outputs: []output{{"JUnit", "cd build && ctest --output-junit $TESTRUN_RESULTS/ctest.xml $SUITE", nil}},
		suites: []suite{
			{name: "passing", arguments: "-R passing", want: counted("2/0/0")},
			{name: "failing", arguments: "-R failing", want: counted("1/1/0")},
			{name: "skipped and disabled", arguments: "-R skipped", want: counted("1/0/3")},
			{name: "expected to fail", arguments: "-R expected", want: counted("1/1/0")},
			{name: "crashes, and a program is missing", arguments: "-R crash", want: counted("0/1/1"), note: notRun},
			{name: "too slow", arguments: "-R slow", want: counted("0/1/0")},
			{name: "a fixture fails", arguments: "-R fixture", want: counted("0/1/1")},
			{name: "odd names", arguments: "-R odd", want: counted("2/1/0"), names: by[[]string]{"": {"odd.ends in {", "odd.answers in 5ms", "odd.<a href='x'>&amp;</a> ✓"}}},
			{name: "all, four at once", arguments: "-j4 -E flaky", want: counted("7/6/5")},
			{name: "run again", arguments: "-R flaky --repeat until-pass:3", want: counted("1/0/0")},
			{name: "stops at the first failure", arguments: "-R failing.adds|passing --stop-on-failure", want: counted("2/1/0")},
			{name: "a filter that matches nothing", arguments: "-R nothing", want: nothing},
		},
	}
}

func phpunit() tool {
	return tool{
		name: "PHPUnit", folder: "phpunit", version: "phpunit --version | cut -d' ' -f2",
		outputs: []output{{"JUnit", "phpunit --log-junit $TESTRUN_RESULTS/phpunit.xml $SUITE", nil}},
		suites: []suite{
			{name: "passing", arguments: "PassingTest.php", want: counted("2/0/0")},
			{name: "failing", arguments: "FailingTest.php", want: counted("3/6/0")},
			{name: "skipped", arguments: "SkippedTest.php", want: counted("1/0/2")},
			{name: "setup fails", arguments: "SetupTest.php", want: counted("0/1/1")},
			{name: "needs another test", arguments: "DependsTest.php", want: counted("0/1/1")},
			{name: "exits with 0 in the middle", arguments: "ExitTest.php", want: counted("0/0/0 Failed")},
			{
				name: "risky", arguments: "--filter=Risky FailingTest.php", want: counted("0/1/0 Failed"),
				note: "its exit code is 0 for a test without assertions, and its file calls it an error: the file counts",
			},
			{name: "risky tests fail", arguments: "--fail-on-risky --filter=Risky FailingTest.php", want: counted("0/1/0")},
			{name: "a filter that matches nothing", arguments: "--filter=nothing PassingTest.php", want: nothing},
		},
	}
}

package main

// goModule makes the folder a module. In the repository it is none: nobody is to tidy or lint what is wrong on purpose.
const goModule = "mv module.txt go.mod"

func goTest() tool {
	const truth = "go test -v $SUITE >$TRUTH 2>&1; rm -f */tried; "
	return tool{
		name: "go test", folder: "go", version: "go env GOVERSION", build: goModule,
		outputs: []output{
			{"GoTest", truth + "go test -json $SUITE", goLines},
			{"JUnit, by gotestsum", truth + "gotestsum --junitfile=$TESTRUN_RESULTS/go.xml -- $SUITE", goLines},
			{"GoTest, by gotestsum", truth + "gotestsum --format=standard-json -- $SUITE", goLines},
		},
		suites: []suite{
			{name: "passing", arguments: "./passing"},
			{name: "failing", arguments: "./failing"},
			{name: "skipped", arguments: "./skipped"},
			{name: "nested", arguments: "./nested"},
			{name: "odd names", arguments: "./names"},
			{name: "exits in the middle", arguments: "./leaves", more: 1},
			{name: "exits with 0 in the middle", arguments: "./leaveszero"},
			{name: "panics", arguments: "./panics"},
			{name: "killed in the middle", arguments: "./killed", more: 1},
			{name: "cannot be built", arguments: "./cannotbuild", more: 1},
			{name: "cannot be loaded", arguments: "./cannotload", more: 1},
			{name: "go vet complains", arguments: "./vet", more: 1},
			{name: "TestMain fails before", arguments: "./setup", more: 1},
			{name: "TestMain fails behind", arguments: "./teardown", more: 1},
			{name: "a cleanup fails", arguments: "./cleanup"},
			{name: "too slow", arguments: "-timeout=1s ./slow", more: 2, want: by[string]{"JUnit, by gotestsum": "1/3/0"}, note: "gotestsum adds a case TestMain for the package"},
			{name: "prints what looks like results", arguments: "./output", want: by[string]{"": "2/0/0"}},
			{name: "no tests", arguments: "./notests"},
			{name: "no test files", arguments: "./nofiles"},
			{name: "examples, fuzz tests and benchmarks", arguments: "-bench=. -benchtime=1x ./kinds"},
			{name: "a filter that matches nothing", arguments: "-run=Nothing ./passing"},
			{name: "several times", arguments: "-count=3 ./repeated"},
			{name: "several packages", arguments: "./manya ./manyb ./manyc ./notests ./cannotbuild", more: 1},
			{name: "no such package", arguments: "./nowhere", more: 1},
			{name: "stops at the first failure", arguments: "-failfast ./nested"},
		},
	}
}

// test2json is go test where there is no go: a binary of the tests, and the tool that reads what it prints. It is not told the
// package.
func test2json() tool {
	return tool{
		name: "go tool test2json", folder: "go", version: "go env GOVERSION", build: goModule,
		outputs: []output{{
			"GoTest", "go test -v $SUITE >$TRUTH 2>&1; go test -c -o one.test $SUITE && cd $SUITE && go tool test2json ../one.test -test.v=test2json", goLines,
		}},
		suites: []suite{
			{name: "passing", arguments: "./passing"},
			{name: "failing", arguments: "./failing"},
			{name: "skipped", arguments: "./skipped"},
			{name: "nested", arguments: "./nested"},
			{name: "odd names", arguments: "./names"},
			{name: "exits in the middle", arguments: "./leaves", more: 1},
			{name: "panics", arguments: "./panics"},
			{name: "killed in the middle", arguments: "./killed", more: 1},
			{name: "TestMain fails before", arguments: "./setup", more: 1},
			{name: "TestMain fails behind", arguments: "./teardown", more: 1},
			{name: "a cleanup fails", arguments: "./cleanup"},
			{name: "prints what looks like results", arguments: "./output", want: by[string]{"": "2/0/0"}},
			{name: "no tests", arguments: "./notests", want: nothing},
		},
	}
}

// gotestsum runs tests again that have failed.
func gotestsum() tool {
	return tool{
		name: "gotestsum", folder: "go", version: "gotestsum --version | cut -d' ' -f3", build: goModule,
		outputs: []output{
			{"JUnit", "gotestsum --rerun-fails --junitfile=$TESTRUN_RESULTS/go.xml --packages=\"$SUITE\"", nil},
			{"GoTest", "gotestsum --rerun-fails --format=standard-json --packages=\"$SUITE\"", nil},
		},
		suites: []suite{
			{name: "passes on its second try", arguments: "./flaky", want: counted("2/0/0")},
			{name: "never passes", arguments: "./failing", want: counted("1/1/0")},
			{name: "both", arguments: "./flaky ./failing ./skipped", want: counted("6/1/2")},
			{
				name: "a subtest never passes", arguments: "./nested", want: counted("4/5/1"),
				known: by[string]{"JUnit": "it writes what has passed again with each try"},
			},
			{name: "too many fail", arguments: "./names", want: counted("20/21/0")},
			{name: "cannot be built", arguments: "./flaky ./cannotbuild", want: counted("1/2/0")},
		},
	}
}

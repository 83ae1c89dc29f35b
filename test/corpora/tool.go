package main

// tool is a test tool, with the small suites that are run with it.
type tool struct {
	name string
	// folder holds the suites; it is below testdata. Each of them runs in a fresh copy of it.
	folder string
	// version is a command that prints the version.
	version string
	// build prepares the copy for all suites; empty for most.
	build string
	// outputs are the ways in which the tool is asked for its results.
	outputs []output
	suites  []suite
}

// output is a way to ask a tool for results.
type output struct {
	// name is the format, as the table shows it.
	name string
	// command is for a shell. $SUITE is the suite, $TESTRUN_RESULTS the folder for JUnit files, $TRUTH a file for the tool's
	// own account of the cases.
	command string
	// truth reads that account. Without one, each suite has its counts.
	truth func(account) (counts, error)
}

// account is what a tool says of its run beside the results that are read.
type account struct {
	// file is the content of $TRUTH.
	file []byte
	// stdout and stderr are what was printed.
	stdout, stderr []byte
}

// by is what holds for the outputs of these names; under an empty name, for all others.
type by[T any] map[string]T

func (b by[T]) output(name string) (value T, given bool) {
	if value, given = b[name]; !given {
		value, given = b[""]
	}
	return value, given
}

// suite is one thing to run.
type suite struct {
	// name says what it shows.
	name string
	// arguments are $SUITE.
	arguments string
	// want has what is right where the tool does not give it, or gives something else: "PASSED/FAILING/SKIPPED", or that and
	// the verdict where it is not that of the exit code.
	want by[string]
	// more is how many failing cases stand for what the tool does not count as a test: a package that cannot be built, a
	// test that has not ended.
	more int64
	// names are cases that have to be shown under exactly these names.
	names by[[]string]
	// note says what is special about it, for the reader of the table.
	note string
	// known says why it is read wrongly, and stays so.
	known by[string]
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// nodeEvent is a line of testdata/js/node/truth.mjs.
type nodeEvent struct {
	Nesting               int
	File, Kind            string
	Failed, Skipped, Todo bool
}

func (e nodeEvent) add(to *counts) {
	switch {
	case e.Skipped, e.Todo && e.Failed:
		to.skipped++
	case e.Failed:
		to.failing++
	default:
		to.passed++
	}
}

func nodeEvents(a account) (events []nodeEvent, err error) {
	for line := range bytes.Lines(a.file) {
		var e nodeEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%w: %q", err, line)
		}
		events = append(events, e)
	}
	return events, nil
}

// nodeTop counts the tests of node:test that are in no other.
func nodeTop(a account) (c counts, err error) {
	events, err := nodeEvents(a)
	for _, e := range events {
		if e.Nesting == 0 {
			e.add(&c)
		}
	}
	return c, err
}

// nodeLeaves counts those that have no other in them. A test is told of behind those in it.
func nodeLeaves(a account) (c counts, err error) {
	events, err := nodeEvents(a)
	inside := map[string]map[int]bool{}
	for _, e := range events {
		if inside[e.File] == nil {
			inside[e.File] = map[int]bool{}
		}
		e.Skipped = e.Skipped || e.Todo // its JUnit file says so of both
		if !inside[e.File][e.Nesting+1] {
			e.add(&c)
		}
		inside[e.File][e.Nesting+1] = false
		inside[e.File][e.Nesting] = true
	}
	return c, err
}

// mochaStats reads what mocha's reporter json writes. A hook that fails is counted among the failures.
func mochaStats(a account) (counts, error) {
	var written struct {
		Stats struct{ Passes, Failures, Pending int64 }
	}
	err := json.Unmarshal(a.file, &written)
	return counts{written.Stats.Passes, written.Stats.Failures, written.Stats.Pending}, err
}

// written reads counts that a helper of ours has written, with the tool's own means.
func written(a account) (counts, error) { return parseCounts(string(a.file)) }

// goLines counts the lines with which `go test -v` ends a test.
func goLines(a account) (c counts, err error) {
	for line := range bytes.Lines(a.file) {
		switch line = bytes.TrimLeft(line, " "); {
		case bytes.HasPrefix(line, []byte("--- PASS")):
			c.passed++
		case bytes.HasPrefix(line, []byte("--- FAIL")):
			c.failing++
		case bytes.HasPrefix(line, []byte("--- SKIP")):
			c.skipped++
		}
	}
	return c, nil
}

var tapeLine = regexp.MustCompile(`(?m)^# (pass|fail) +(\d+)$`)

// tapeLines reads the lines with which tape ends.
func tapeLines(a account) (c counts, err error) {
	for _, line := range tapeLine.FindAllSubmatch(a.stdout, -1) {
		n, _ := strconv.ParseInt(string(line[2]), 10, 64)
		if string(line[1]) == "pass" {
			c.passed = n
		} else {
			c.failing = n
		}
	}
	return c, nil
}

// jestNumbers reads what jest --json writes, and vitest too.
func jestNumbers(a account) (counts, error) {
	var written struct {
		NumPassedTests, NumFailedTests, NumPendingTests, NumTodoTests int64
	}
	err := json.Unmarshal(a.file, &written)
	return counts{written.NumPassedTests, written.NumFailedTests, written.NumPendingTests + written.NumTodoTests}, err
}

// jestFiles counts the files in it.
func jestFiles(a account) (c counts, err error) {
	var written struct{ TestResults []struct{ Status string } }
	err = json.Unmarshal(a.file, &written)
	for _, file := range written.TestResults {
		if file.Status == "passed" {
			c.passed++
		} else {
			c.failing++
		}
	}
	return c, err
}

// playwrightStats reads what playwright's reporter json writes. A flaky test has passed.
func playwrightStats(a account) (counts, error) {
	var written struct {
		Stats struct{ Expected, Unexpected, Flaky, Skipped int64 }
	}
	err := json.Unmarshal(a.file, &written)
	return counts{written.Stats.Expected + written.Stats.Flaky, written.Stats.Unexpected, written.Stats.Skipped}, err
}

// Package points counts at how many points faults were tried, over all packages: see `make archive-faults` and `make jobtable-faults`.
package points

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// file names the variable that names the file to which each test adds its line: what was tried, at how many points, and how many of them
// broke a promise, separated by tabs.
const file = "TESTRUN_POINTS"

// All says that all points are to be tried, and on each database; otherwise those that a quick run of the tests has time for.
func All() bool { return os.Getenv(file) != "" }

// Counter counts the points of one test. It can be used concurrently.
type Counter struct {
	name string

	mu            sync.Mutex
	tried, broken int
	failed        map[string]bool
}

// Of counts for a test, and reports when the test has ended. name says in a few words what goes wrong where.
func Of(t *testing.T, name string) *Counter {
	t.Helper()
	c := &Counter{name: name, failed: map[string]bool{}}
	t.Cleanup(func() { c.report(t) })
	return c
}

// Tried counts a point that t has tried. It is broken if t has failed since it was asked last.
func (c *Counter) Tried(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried++
	if t.Failed() && !c.failed[t.Name()] {
		c.failed[t.Name()] = true
		c.broken++
	}
}

// Count is how many points were tried.
func (c *Counter) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried
}

func (c *Counter) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	// A test that ended at a point has not counted it.
	if t.Failed() && c.broken == 0 {
		c.tried, c.broken = c.tried+1, 1
	}
	t.Logf("%s: %d points tried, %d broken", c.name, c.tried, c.broken)
	if !All() {
		return
	}
	line := fmt.Sprintf("%s\t%d\t%d\n", strings.ReplaceAll(c.name, "\t", " "), c.tried, c.broken)
	if err := add(os.Getenv(file), line); err != nil {
		t.Errorf("the points cannot be counted: %v", err)
	}
}

// add adds a line to a file, to which other processes add theirs.
func add(path, line string) error {
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = out.WriteString(line)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/gotest"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/results/tap"
)

// collector reads the results of a test: from its streams while it runs, and from its files when it has ended. Its methods may
// be called from any goroutine.
type collector struct {
	format  string
	pattern string

	mu      sync.Mutex
	streams []stream
	files   results.Summary
	// hasFiles says that a JUnit file was found.
	hasFiles bool
}

// stream is a format that the test may speak on its streams.
type stream struct {
	format  results.Format
	reader  streamReader
	summary *results.Summary
}

type streamReader interface {
	io.Writer
	// Stderr takes what the test writes there: some formats put explanations there.
	Stderr() io.Writer
	// Close ends both.
	Close()
	// Recognized says whether something was there that only this format says.
	Recognized() bool
}

func newCollector(opts options) *collector {
	c := &collector{format: opts.format, pattern: opts.pattern}
	if c.mayBe(results.GoTest) {
		summary := &results.Summary{}
		c.streams = append(c.streams, stream{results.GoTest, gotest.New(summary), summary})
	}
	if c.mayBe(results.TAP) {
		summary := &results.Summary{}
		c.streams = append(c.streams, stream{results.TAP, tap.New(summary), summary})
	}
	return c
}

func (c *collector) mayBe(format results.Format) bool {
	return c.format == string(format) || c.format == formatAuto
}

func (c *collector) readsStreams() bool { return len(c.streams) > 0 }

// prepare makes the folder for the test's files. That it cannot be made matters only if there have to be files.
func (c *collector) prepare(dir string) error {
	if dir == "" || !c.mayBe(results.JUnit) {
		return nil
	}
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		err = os.Chmod(dir, 0o777) // a test may run its parts as other users
	}
	if err != nil && c.format == string(results.JUnit) {
		return fmt.Errorf("the folder of $%s cannot be made (in a read-only file system, mount an empty volume at /tmp): %w", envResults, err)
	}
	return nil
}

func (c *collector) stdout(output []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		_, _ = s.reader.Write(output) // it never fails
	}
}

func (c *collector) stderr(output []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		_, _ = s.reader.Stderr().Write(output) // it never fails
	}
}

// end reads what there is to read once the test has ended. dir is the folder for its files; empty if there is none.
func (c *collector) end(dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		s.reader.Close()
	}
	if dir == "" || !c.mayBe(results.JUnit) {
		return
	}
	if err := c.readFiles(dir); err != nil {
		c.hasFiles = true
		c.files.Note(results.Incomplete, fmt.Sprintf("the JUnit files cannot be read: %v", err))
	}
}

// readFiles reads the files that match the pattern, and never one outside the folder.
func (c *collector) readFiles(dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	pattern := path.Clean(c.pattern) // an fs.FS takes no "./report.xml"
	return doublestar.GlobWalk(root.FS(), pattern, func(name string, entry fs.DirEntry) error {
		if !entry.Type().IsRegular() { // a pipe would be waited for
			return nil
		}
		file, err := root.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if junit.Read(file, name, &c.files) {
			c.hasFiles = true
		}
		return nil
	}, doublestar.WithFilesOnly(), doublestar.WithNoFollow(), doublestar.WithFailOnIOErrors())
}

// report says what has been read so far. With format Auto files go before streams: a test that leaves a file means it to be
// read.
func (c *collector) report() *results.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hasFiles {
		return reportOf(results.JUnit, &c.files)
	}
	for _, s := range c.streams {
		if c.format != formatAuto || s.reader.Recognized() {
			return reportOf(s.format, s.summary)
		}
	}
	return &results.Report{}
}

func reportOf(format results.Format, summary *results.Summary) *results.Report {
	report := &results.Report{Format: format}
	report.Merge(summary)
	return report
}

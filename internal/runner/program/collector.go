//go:build linux

package program

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/gotest"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/results/tap"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/folder"
	"github.com/testrun-dev/testrun/internal/runner/pusher"
)

// collector reads the results of a test: its streams while it runs, and its files when it has ended. Its methods may be called
// from any goroutine.
type collector struct {
	format  string
	pattern string

	mu      sync.Mutex
	streams []*stream
	files   results.Summary
	// fileSink receives the cases of the files.
	fileSink results.Sink
	// hasFiles means that there was a JUnit file, or something to note about the files. refused means that the folder for them
	// belongs to somebody else.
	hasFiles, refused bool
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
	// Recognized says whether the output had something that only this format has.
	Recognized() bool
}

// newCollector returns one that gives the cases to the archive, too. The ranks are those by which report chooses a format.
func newCollector(opts runner.Options, archive *archive) *collector {
	c := &collector{format: opts.Format, pattern: cmp.Or(opts.Path, runner.DefaultPath)}
	c.fileSink = archive.sink(pusher.Format{Name: results.JUnit, Recognized: func() bool { return true }}, &c.files)
	add := func(format results.Format, open func(results.Sink) streamReader) {
		if !c.mayBe(format) {
			return
		}
		s := &stream{format: format, summary: &results.Summary{}}
		s.reader = open(archive.sink(pusher.Format{
			Name: format, Rank: 1 + len(c.streams), Recognized: func() bool { return c.speaks(s) }, Planned: s.planned,
		}, s.summary))
		c.streams = append(c.streams, s)
	}
	add(results.GoTest, func(sink results.Sink) streamReader { return gotest.New(sink) })
	add(results.TAP, func(sink results.Sink) streamReader { return tap.New(sink) })
	return c
}

// speaks says whether the test speaks a format on its streams.
func (c *collector) speaks(s *stream) bool { return c.format != runner.Auto || s.reader.Recognized() }

func (c *collector) mayBe(format results.Format) bool {
	return c.format == string(format) || c.format == runner.Auto
}

func (c *collector) readsStreams() bool { return len(c.streams) > 0 }

// planned is how many cases there will be; 0 if the format does not say so.
func (s *stream) planned() int64 {
	if reader, ok := s.reader.(interface{ Planned() int64 }); ok {
		return reader.Planned()
	}
	return 0
}

// prepare makes the folder for the test's files. If that fails, a test with format JUnit cannot run. Any other test runs; if the
// folder belongs to somebody else, its results are incomplete.
func (c *collector) prepare(dir string) error {
	if dir == "" || !c.mayBe(results.JUnit) {
		return nil
	}
	err := folder.Make(dir)
	switch {
	case err == nil:
	case c.format == string(results.JUnit) && errors.Is(err, folder.ErrNotOurs):
		return fmt.Errorf("the folder of $%s cannot be used: %s: %w", runner.EnvResults, dir, err)
	case c.format == string(results.JUnit):
		return fmt.Errorf("the folder of $%s cannot be made (in a read-only file system, mount an empty volume at /tmp): %w", runner.EnvResults, err)
	case errors.Is(err, folder.ErrNotOurs):
		c.refused = true
		c.noteFiles(fmt.Sprintf("%s is not read: %v", dir, err))
	}
	return nil
}

func (c *collector) noteFiles(message string) {
	c.hasFiles = true
	c.files.Note(results.Incomplete, message)
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

// end reads the rest when the test has ended with an exit code. dir is the folder for its files; empty if there is none.
func (c *collector) end(dir string, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams {
		s.reader.Close()
	}
	if dir == "" || c.refused || !c.mayBe(results.JUnit) {
		return
	}
	found := files{reader: junit.New(c.fileSink), sink: c.fileSink}
	err := found.read(dir, c.pattern)
	c.hasFiles = c.hasFiles || found.found
	if err != nil {
		c.noteFiles(fmt.Sprintf("the JUnit files cannot be read: %v", err))
	}
	if code != 0 && !slices.ContainsFunc(c.recognized(), (*stream).failed) {
		found.reader.Distrust()
	}
}

// recognized are the formats that the test speaks, files first: a test that leaves a file means it to be read.
func (c *collector) recognized() []*stream {
	var all []*stream
	if c.hasFiles {
		all = append(all, &stream{format: results.JUnit, summary: &c.files})
	}
	for _, s := range c.streams {
		if c.speaks(s) {
			all = append(all, s)
		}
	}
	return all
}

func (s *stream) failed() bool {
	return s.summary.Failed+s.summary.Errored > 0 || s.summary.Defect != ""
}

// report returns what has been read so far, in one format: the first one with cases, or else the first with a defect, or else the
// first. It also says what failed in the others, so that no format hides another.
func (c *collector) report() *results.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.recognized()
	if len(all) == 0 {
		return &results.Report{}
	}
	shown := max(0, slices.IndexFunc(all, (*stream).failed))
	if i := slices.IndexFunc(all, func(s *stream) bool { return s.summary.Total() > 0 }); i >= 0 {
		shown = i
	}
	report := &results.Report{Format: all[shown].format}
	report.Merge(all[shown].summary)
	for i, other := range all {
		if i != shown && other.failed() {
			report.Note(other.summary.Defect, fmt.Sprintf("%s: %s", other.format, other.summary.DefectMessage))
			report.Also = join(report.Also, other.failures())
		}
	}
	return report
}

// failures says how many cases failed, and names the first; it is empty if none did.
func (s *stream) failures() string {
	failed := s.summary.Failed + s.summary.Errored
	if failed == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d %s cases failed", failed, s.summary.Total(), s.format)
	if first := s.summary.Cases()[0]; first.Outcome == results.Failed || first.Outcome == results.Errored {
		text += ": " + results.Cut(strings.Trim(first.Suite+": "+first.Name, ": "), maxNamed)
	}
	return text
}

// maxNamed bounds the name of a case of another format, in bytes.
const maxNamed = 96

func join(one, other string) string {
	if one == "" || other == "" {
		return one + other
	}
	return one + ", " + other
}

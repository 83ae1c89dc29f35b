package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxLine is how long a line of cases may be, in bytes.
	maxLine = 64 << 10
	// maxLines is how many lines a chunk may have: they are written in one transaction.
	maxLines = 5000
	// maxCases is how many cases an attempt may have. Cases that turn out late to be cases of their own are numbered from lateNumber on. They
	// are kept behind all others, from maxCases on, so that a number is short.
	maxCases   = 1 << 30
	lateNumber = 1 << 32
	// withdrawn is the outcome of a case that there is not after all.
	withdrawn results.Outcome = ""
)

// parseCases reads a chunk of the stream of cases that begins at an offset there. An error names the line. Texts are as the test wrote them:
// the store cleans and cuts them.
func parseCases(data []byte, offset int64) ([]archive.CaseLine, error) {
	if len(data) == 0 || data[len(data)-1] != '\n' {
		return nil, errors.New("a chunk of cases holds whole lines: the last one does not end")
	}
	lines := make([]archive.CaseLine, 0, min(maxLines, bytes.Count(data, []byte{'\n'})))
	for len(data) > 0 {
		if len(lines) == maxLines {
			return nil, fmt.Errorf("a chunk of cases has at most %d lines", maxLines)
		}
		end := bytes.IndexByte(data, '\n')
		line, err := parseCase(data[:end])
		if err != nil {
			return nil, fmt.Errorf("line %d of the chunk, at offset %d of the stream: %w", len(lines)+1, offset, err)
		}
		lines = append(lines, archive.CaseLine{Case: line, Offset: offset})
		data, offset = data[end+1:], offset+int64(end)+1
	}
	return lines, nil
}

func parseCase(line []byte) (push.Case, error) {
	var c push.Case
	if len(line) >= maxLine {
		return c, fmt.Errorf("it has %d bytes: a line has less than %d", len(line), maxLine)
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return c, fmt.Errorf("it is no case: %w", err)
	}
	if c.Number >= lateNumber {
		c.Number -= lateNumber - maxCases
	} else if c.Number >= maxCases {
		return c, fmt.Errorf("the number of the case is %d: there are fewer than %d", c.Number, maxCases)
	}
	if c.Number < 1 || c.Number >= 2*maxCases {
		return c, fmt.Errorf("the number of the case is %d: they are counted from 1", c.Number)
	}
	switch c.Outcome {
	case results.Passed, results.Failed, results.Errored, results.Skipped, withdrawn:
	default:
		return c, fmt.Errorf("the outcome is %q: it is Passed, Failed, Errored or Skipped", results.Cut(string(c.Outcome), results.MaxName))
	}
	if c.Microseconds < 0 {
		return c, fmt.Errorf("the case took %d µs", c.Microseconds)
	}
	return c, nil
}

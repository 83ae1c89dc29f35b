package gotest

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/testrun-dev/testrun/internal/results"
)

func FuzzReader(f *testing.F) {
	fixtures, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(fixtures) == 0 {
		f.Fatal("no fixtures", err)
	}
	for i, path := range fixtures {
		stdout, stderr := fixture(f, strings.TrimSuffix(filepath.Base(path), ".jsonl"))
		f.Add([]byte(stdout), []byte(stderr), uint16(i))
	}
	f.Fuzz(func(t *testing.T, stdout, stderr []byte, size uint16) {
		whole := read(string(stdout), string(stderr), max(1, len(stdout), len(stderr)))
		if pieces := read(string(stdout), string(stderr), int(size)+1); !reflect.DeepEqual(pieces, whole) {
			t.Errorf("in pieces of %d bytes got\n%s\ninstead of\n%s", int(size)+1, describe(pieces), describe(whole))
		}

		least, most := bounds(stdout)
		if total := whole.Total(); total < least || total > most {
			t.Errorf("%d cases, of at least %d and at most %d", total, least, most)
		}
		cases := whole.Cases()
		if int64(len(cases)) != min(whole.Total(), results.MaxCases) {
			t.Errorf("%d of %d cases are kept", len(cases), whole.Total())
		}
		for _, c := range cases {
			for text, limit := range map[string]int{c.Name: results.MaxName, c.Suite: results.MaxName, c.Location: results.MaxLocation, c.Message: results.MaxMessage} {
				if !utf8.ValidString(text) || results.Size(text) > limit {
					t.Errorf("%q is no text of %d bytes", text, limit)
				}
			}
			if c.Duration < 0 {
				t.Errorf("%q took %s", c.Name, c.Duration)
			}
		}
	})
}

// bounds counts the tests that end, of which several attempts are one case, and the events and lines that may make one.
func bounds(stdout []byte) (least, most int64) {
	ended := map[[2]string]bool{}
	for line := range bytes.Lines(stdout) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(line) > results.MaxLine {
			continue
		}
		e, ok := decode(line)
		_, end := outcomes[e.Action]
		switch {
		case ok && end && e.Test != "":
			if e.Package != "" {
				ended[[2]string{e.Package, e.Test}] = true
			}
			most++
		case ok && (e.Action == "run" || end), bytes.HasPrefix(line, []byte("FAIL\t")):
			most++
		}
	}
	return int64(len(ended)), most
}

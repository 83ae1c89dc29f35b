package gotest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxKey bounds the names that things are found by, in bytes. Longer ones that begin alike are taken for the same.
	maxKey = 1024
	// maxElapsed is more seconds than any pod lives.
	maxElapsed = 9999 * 3600
)

// event is what is read of a line.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
	// Key and Value are an attribute that a test gives itself, and Path a folder of files that it leaves.
	Key, Value, Path string
}

// outcomes are those of the actions that end a test or a package.
var outcomes = map[string]results.Outcome{
	"pass":  results.Passed,
	"bench": results.Passed,
	"fail":  results.Failed,
	"skip":  results.Skipped,
}

// decode says whether a line is an event at all. That encoding/json takes "action" for "Action" must not turn the log of another
// program into a test.
func decode(line []byte) (event, bool) {
	var e event
	if !bytes.Contains(line, []byte(`"Action"`)) || json.Unmarshal(line, &e) != nil {
		return e, false
	}
	for _, name := range []*string{&e.Package, &e.ImportPath, &e.Test, &e.FailedBuild} {
		*name = bounded(*name)
	}
	switch e.Action {
	case "start", "run", "pause", "cont", "pass", "bench", "fail", "output", "skip", "attr", "artifacts":
		return e, e.Package != "" || e.ImportPath == "" && isBare(line)
	case "build-output", "build-fail":
		e.Package = ""
		return e, e.ImportPath != ""
	}
	return e, false
}

// keys are those that an event without a package may have.
var keys = map[string]bool{
	"Time": true, "Action": true, "Test": true, "Elapsed": true, "Output": true, "OutputType": true, "Key": true, "Value": true, "Path": true,
}

// isBare says whether a line has nothing in it that go tool test2json would not print without -p. Others log objects with an
// Action too.
func isBare(line []byte) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(line, &object) != nil {
		return false
	}
	for key := range object {
		if !keys[key] {
			return false
		}
	}
	return true
}

func bounded(name string) string {
	if len(name) <= maxKey {
		return name
	}
	return strings.Clone(name[:maxKey])
}

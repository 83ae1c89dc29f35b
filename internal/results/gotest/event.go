package gotest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxKey bounds names, in bytes. Longer names with the same beginning count as the same.
	maxKey = 1024
	// maxElapsed is more seconds than any pod lives.
	maxElapsed = 9999 * 3600
)

// event is a line, as far as it is read.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
	// Key and Value are an attribute of a test. Path is a folder with files that it leaves.
	Key, Value, Path string
}

// outcomes are those of the actions that end a test or a package.
var outcomes = map[string]results.Outcome{
	"pass":  results.Passed,
	"bench": results.Passed,
	"fail":  results.Failed,
	"skip":  results.Skipped,
}

// decode reads a line and says whether it is an event. encoding/json accepts "action" for "Action". decode does not, so that the
// log of another program is not taken for a test.
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

// isBare says whether a line has only what go tool test2json prints without -p. Other programs log objects with an Action too.
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

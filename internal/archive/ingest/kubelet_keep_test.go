package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
)

// kept is the state of a stream of which that many bytes are kept from the beginning on, and more behind a gap.
func kept(length, behind int64) archive.StreamState {
	return archive.StreamState{Length: length, Stored: length + behind, Wanted: -1}
}

func ended(state archive.StreamState, whole string) archive.StreamState {
	sum := sha256.Sum256([]byte(whole))
	state.Wanted, state.SHA256 = int64(len(whole)), hex.EncodeToString(sum[:])
	return state
}

func TestALogGoesOnWhereThePushStopped(t *testing.T) {
	for name, test := range map[string]struct {
		state     archive.StreamState
		tail, log string
		want      string // the rest
		ok        bool
	}{
		"nothing was pushed":                            {kept(0, 0), "", "ok 1\nok 2\n", "ok 1\nok 2\n", true},
		"nothing was pushed, and nothing was printed":   {kept(0, 0), "", "", "", true},
		"the push stopped":                              {kept(5, 0), "ok 1\n", "ok 1\nok 2\n", "ok 2\n", true},
		"the push stopped, and all is there":            {kept(5, 0), "ok 1\n", "ok 1\n", "", true},
		"the push stopped far behind":                   {kept(10, 0), "ok 2\n", "ok 1\nok 2\nok 3\n", "ok 3\n", true},
		"lines repeat":                                  {kept(4, 0), "a\na\n", "a\na\na\na\n", "a\na\n", true},
		"the kubelet has forgotten the beginning":       {kept(10, 0), "ok 2\n", "k 1\nok 2\nok 3\n", "ok 3\n", true},
		"it has, and lines repeat":                      {kept(9, 0), "a\n", "a\na\nb\n", "", false},
		"it has forgotten even the end of what is kept": {kept(5, 0), "ok 1\n", "ok 7\nok 8\n", "", false},
		"the log is shorter than what is kept":          {kept(10, 0), "ok 2\n", "ok", "", false},
		"the end is known, and the log says more":       {ended(kept(5, 0), "ok 1\nok 2\n"), "ok 1\n", "ok 1\nok 2\nlater\n", "ok 2\n", true},
		"the beginning is missing, the log has it all":  {ended(kept(0, 5), "ok 1\nok 2\n"), "", "ok 1\nok 2\n", "ok 1\nok 2\n", true},
		"the beginning is missing, the log has other":   {ended(kept(0, 5), "ok 1\nok 2\n"), "", "ok 1\nok 3\n", "", false},
		"the beginning is missing, no end is known":     {kept(0, 5), "", "ok 1\nok 2\n", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			offset, rest, ok := continuation(test.state, []byte(test.tail), []byte(test.log))
			if !ok {
				rest = nil
			}
			if ok != test.ok || string(rest) != test.want || ok && offset != test.state.Length {
				t.Errorf("from %d on it is %q, %t; want %q, %t", offset, rest, ok, test.want, test.ok)
			}
		})
	}
}

func TestALogMayBeShorterThanTheTailOfWhatIsKept(t *testing.T) {
	tail := strings.Repeat("x", tailSize)
	if _, _, ok := continuation(kept(tailSize, 0), []byte(tail), []byte("x")); ok {
		t.Error("a log of one byte shows where to go on")
	}
}

package web

import (
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

func TestAStreamSaysHowMuchOfItIsKept(t *testing.T) {
	gap := []push.Gap{{Offset: 3, Length: 2}}
	for _, c := range []struct {
		name  string
		state *archive.StreamState
		live  bool
		want  Completeness
		says  string
	}{
		{"nothing has come yet", nil, true, Growing, ""},
		{"nothing ever came", nil, false, None, "Nothing of it was ever pushed"},
		{"it comes", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: -1}, true, Growing, ""},
		{"it comes, with a gap", &archive.StreamState{Source: archive.FromRunner, Length: 3, Stored: 5, Wanted: -1, Gaps: gap}, true, Growing, ""},
		{"it comes, and is cut", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: -1, Cut: "It is too much."}, true, Partial, "too much"},
		{"it is whole", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: 5, Verified: true}, false, Complete, ""},
		{"it is whole, and empty", &archive.StreamState{Source: archive.FromRunner, Verified: true}, false, Complete, ""},
		{"it is something else", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: 5, Altered: true}, false, Altered, "another SHA-256"},
		{"it has a gap", &archive.StreamState{Source: archive.FromRunner, Length: 3, Stored: 5, Wanted: 7, Gaps: gap}, false, Partial, "2 of 7 bytes never arrived"},
		{"it has a gap, and no end was told", &archive.StreamState{Source: archive.FromRunner, Length: 3, Stored: 5, Wanted: -1, Gaps: gap}, false, Partial, ""},
		{"no end was told", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: -1}, false, Partial, "did not tell how it ends"},
		{"it was cut", &archive.StreamState{Source: archive.FromRunner, Length: 5, Stored: 5, Wanted: -1, Cut: "It is too much."}, false, Partial, "too much"},
		{"it is the pod's log", &archive.StreamState{Source: archive.FromKubelet, Length: 5, Stored: 5, Wanted: -1}, false, Unverified, "read from the pod's log"},
		{"it is a part of the pod's log", &archive.StreamState{Source: archive.FromKubelet, Length: 5, Stored: 5, Wanted: -1, Cut: "It is too long."}, false, Partial, "too long"},
		{"it is what the status says", &archive.StreamState{Source: archive.FromStatus, Wanted: -1}, false, Partial, "run's status"},
		{"it has expired", &archive.StreamState{Source: archive.FromRunner, Wanted: 5, Verified: true, Expired: begin}, false, Expired, ""},
		{"it has expired and was altered", &archive.StreamState{Source: archive.FromRunner, Wanted: 5, Altered: true, Expired: begin}, false, Expired, ""},
	} {
		got := streamOf(c.state, c.live)
		if reasons := strings.Join(got.Reasons, " "); got.Completeness != c.want || !strings.Contains(reasons, c.says) || c.says == "" && reasons != "" {
			t.Errorf("when %s, it is %s %q, not %s %q", c.name, got.Completeness, reasons, c.want, c.says)
		}
		if c.state != nil && len(got.Gaps) != len(c.state.Gaps) {
			t.Errorf("when %s, the gaps are %v", c.name, got.Gaps)
		}
	}
}

func TestAnAttemptIsOverWhenItsRunIs(t *testing.T) {
	for _, c := range []struct {
		name    string
		run     archive.Run
		attempt archive.Attempt
		live    bool
	}{
		{"nothing has ended", archive.Run{}, archive.Attempt{}, true},
		{"the runner has told its end", archive.Run{}, archive.Attempt{Ended: true}, false},
		{"the attempt has finished", archive.Run{}, archive.Attempt{Finished: time.Unix(1, 0)}, false},
		{"the run has finished", archive.Run{Finished: time.Unix(1, 0)}, archive.Attempt{}, false},
		{"the run is deleted", archive.Run{Deleted: time.Unix(1, 0)}, archive.Attempt{}, false},
	} {
		if isLive(c.run, c.attempt) != c.live {
			t.Errorf("when %s, more may come: %v", c.name, !c.live)
		}
	}
}

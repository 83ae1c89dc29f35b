package archive

import (
	"testing"
	"time"
)

func TestASessionThatHasEndedIsRememberedUntilItIsOverAnyhow(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.EndSession(t.Context(), "first", epoch.Add(12*time.Hour)))
			must(t, s.EndSession(t.Context(), "first", epoch.Add(12*time.Hour)))
			must(t, s.EndSession(t.Context(), "second", epoch.Add(5*day)))
			expect := func(when string, want map[string]bool) {
				t.Helper()
				for id, ended := range want {
					if got := mustGet(s.SessionEnded(t.Context(), id))(t); got != ended {
						t.Errorf("%s: %s has ended: %v", when, id, got)
					}
				}
			}
			expect("at first", map[string]bool{"first": true, "second": true, "third": false})
			expireAll(t, s, epoch.Add(13*time.Hour))
			expect("when the first is over", map[string]bool{"first": true, "second": true})
			expireAll(t, s, epoch.Add(37*time.Hour))
			expect("a day later", map[string]bool{"first": false, "second": true})
		})
	}
}

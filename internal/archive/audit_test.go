package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// audited are the names of all entries of a namespace, page by page.
func audited(t *testing.T, s *Store, namespace string) []string {
	t.Helper()
	var names []string
	for after, more := int64(0), true; more; {
		var page []AuditEntry
		var err error
		page, more, err = s.AuditLog(t.Context(), namespace, after, 3)
		must(t, err)
		for _, entry := range page {
			names, after = append(names, entry.Name), entry.ID
		}
	}
	return names
}

func TestTheAuditHasWhatWasDoneTheNewestFirst(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var want []string
			for n := range 10 {
				s.now = func() time.Time { return epoch.Add(time.Duration(n) * time.Hour) }
				must(t, s.Audit(t.Context(), AuditEntry{
					User: "anna", Action: "create", Result: "created", Namespace: []string{"a", "b"}[n%2], Name: fmt.Sprint("run-", n), UID: uidOf(n),
				}))
				if n%2 == 0 {
					want = append(want, fmt.Sprint("run-", n))
				}
			}
			slices.Reverse(want)
			if got := audited(t, s, "a"); !slices.Equal(got, want) {
				t.Errorf("the audit of a has %v", got)
			}
			page, _, err := s.AuditLog(t.Context(), "b", 0, 1)
			must(t, err)
			if got := page[0]; got.User != "anna" || got.Action != "create" || got.Result != "created" || got.UID != uidOf(9) || !got.At.Equal(epoch.Add(9*time.Hour)) {
				t.Errorf("the newest entry of b is %+v", got)
			}
			_, _, err = s.Expire(t.Context(), epoch.Add(4*time.Hour).Add(DefaultPolicy.Rows), DefaultPolicy, 100)
			must(t, err)
			if got := audited(t, s, "a"); strings.Join(got, " ") != "run-8 run-6 run-4" {
				t.Errorf("after a year the audit of a has %v", got)
			}
		})
	}
}

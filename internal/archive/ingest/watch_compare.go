package ingest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/internal/archive"
)

// How many TestRuns a page of a list has, and how many kept runs. A TestRun may have a megabyte.
const (
	pageOfObjects = 50
	pageOfRows    = 1000
)

// compare lists all TestRuns, stores those that are newer than what is kept of them, and marks as deleted what is kept and not in the list.
// Only then it moves the cursor, to the version of the list. It returns that version. restored is that of the batches: see archive.Batch.
func (w *Watch) compare(ctx context.Context, restored bool) (string, error) {
	w.Metrics.compared()
	kept, err := w.kept(ctx)
	if err != nil {
		return "", err
	}
	version, next := "", ""
	for first := true; first || next != ""; first = false {
		page := newList()
		if err := w.Client.List(ctx, page, client.Limit(pageOfObjects), client.Continue(next)); err != nil {
			return "", fmt.Errorf("listing TestRuns: %w", err)
		}
		version, next = cmp.Or(version, page.GetResourceVersion()), page.GetContinue()
		if err := w.comparePage(ctx, page, kept, restored); err != nil {
			return "", err
		}
	}
	if err := w.markGone(ctx, kept, w.now()); err != nil {
		return "", err
	}
	return version, w.apply(ctx, archive.Batch{Cursor: version, Restored: restored})
}

// comparePage stores what of a page is newer than what is kept, and takes all of it out of kept.
func (w *Watch) comparePage(ctx context.Context, page *unstructured.UnstructuredList, kept map[string]string, restored bool) error {
	batch := archive.Batch{Restored: restored}
	for i := range page.Items {
		object := &page.Items[i]
		uid := string(object.GetUID())
		was, isKept := kept[uid]
		delete(kept, uid)
		if isKept && was == object.GetResourceVersion() && !restored {
			continue
		}
		state, err := stateOf(object, time.Time{})
		if err != nil {
			return err
		}
		batch.Runs = append(batch.Runs, state)
	}
	if len(batch.Runs) == 0 {
		return nil
	}
	return w.apply(ctx, batch)
}

// kept are the versions of the runs that are kept and not known to be deleted, by UID. All of them were there before the list begins, so what
// the list lacks is deleted.
func (w *Watch) kept(ctx context.Context) (map[string]string, error) {
	kept := map[string]string{}
	for after := ""; ; {
		page, err := w.Store.Live(ctx, after, pageOfRows)
		if err != nil {
			return nil, fmt.Errorf("reading which runs are kept: %w", err)
		}
		for _, run := range page {
			after = run.UID
			kept[run.UID] = run.ResourceVersion
		}
		if len(page) < pageOfRows {
			return kept, nil
		}
	}
}

// markGone marks runs as deleted.
func (w *Watch) markGone(ctx context.Context, runs map[string]string, at time.Time) error {
	uids := make([]string, 0, pageOfRows)
	mark := func() error {
		if len(uids) == 0 {
			return nil
		}
		if err := w.Store.Gone(ctx, uids, at); err != nil {
			return fmt.Errorf("marking %d runs as deleted: %w", len(uids), err)
		}
		w.Metrics.gone(len(uids))
		uids = uids[:0]
		return nil
	}
	for uid := range runs {
		if uids = append(uids, uid); len(uids) == pageOfRows {
			if err := mark(); err != nil {
				return err
			}
		}
	}
	return mark()
}

// isNewer compares versions of TestRuns. Anything is newer than none.
func isNewer(version, than string) bool {
	if than == "" || version == "" {
		return version != ""
	}
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order > 0
}

package kubectl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// followed is what is known of the runs that are followed.
type followed struct {
	// runs are those that are there, and those that are gone since; by their UID.
	runs map[types.UID]show.Run
}

// sorted are the runs, the newest first.
func (f *followed) sorted() []show.Run {
	all := make([]show.Run, 0, len(f.runs))
	for _, run := range f.runs {
		all = append(all, run)
	}
	sortNewest(all)
	return all
}

func newFollowed() *followed { return &followed{runs: map[types.UID]show.Run{}} }

// errEnough ends follow without an error.
var errEnough = errors.New("enough was seen")

// How long a cluster is left in peace before it is asked for a list again: at least, and at most if it does not answer.
const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 10 * time.Second
)

// follow calls each with the runs that are selected, as they are and after each change, until it returns an error; errEnough is none.
// A cluster that does not answer any more is asked again until ctx ends, which is said once.
func (c *cluster) follow(ctx context.Context, s selection, each func(*followed) error) error {
	state := newFollowed()
	pause, reached := time.Duration(0), false
	for {
		version, err := c.listAll(ctx, s, state)
		if err == nil {
			if pause > 0 {
				c.trouble("")
			}
			pause, reached = 0, true
			if err = each(state); err == nil {
				err = c.watchFrom(ctx, s, version, state, each)
			}
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (!reached || !brokenOff(err)):
			return c.explain(ctx, err, asked{"watch", testRuns, "", s.namespace})
		case err != nil:
			if pause == 0 {
				c.trouble(fmt.Sprintf("The cluster does not answer (%v). Trying again; the runs go on meanwhile.", err))
			}
			pause = min(pause+time.Second, longestPause)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(pause, shortestPause)):
		}
	}
}

// tellTrouble says that the cluster does not answer, or that it does again.
func (a *app) tellTrouble(what string) {
	a.note("%s", cmp.Or(what, "The cluster answers again."))
}

// listAll reads all runs that are selected. Those that were known and are not there any more are gone.
func (c *cluster) listAll(ctx context.Context, s selection, state *followed) (version string, err error) {
	there := map[types.UID]bool{}
	err = c.list(ctx, testRuns, s.namespace, s.options(), func() runtime.Object { return &v1alpha1.TestRunList{} }, func(page runtime.Object) error {
		list := page.(*v1alpha1.TestRunList)
		version = list.ResourceVersion
		for i := range list.Items {
			there[list.Items[i].UID] = true
			state.set(s, &list.Items[i])
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for uid, run := range state.runs {
		if !there[uid] {
			c.leaves(ctx, s, state, run)
		}
	}
	state.forget(s, c.now())
	return version, nil
}

// goneFor is how long a run that is gone is shown, unless it was named: whoever watches for days is to see and to keep what is there.
const goneFor = time.Minute

func (f *followed) forget(s selection, now time.Time) {
	if len(s.names) > 0 {
		return
	}
	maps.DeleteFunc(f.runs, func(_ types.UID, run show.Run) bool { return run.Gone != nil && now.Sub(*run.Gone) > goneFor })
}

func (f *followed) set(s selection, run *v1alpha1.TestRun) {
	setKind(run)
	if !s.takes(run) {
		delete(f.runs, run.UID)
		return
	}
	f.runs[run.UID] = show.Run{TestRun: run}
}

// leaves takes a run out of those that are followed. It is gone, unless it has only lost what it was selected by.
func (c *cluster) leaves(ctx context.Context, s selection, state *followed, run show.Run) {
	if s.labels+s.fields != "" && run.Gone == nil && c.isThere(ctx, run) {
		delete(state.runs, run.UID)
		return
	}
	state.gone(run, c.now())
}

// isThere says whether this very run is in the cluster.
func (c *cluster) isThere(ctx context.Context, run show.Run) bool {
	now := &v1alpha1.TestRun{}
	return c.get(ctx, now, testRuns, run.Namespace, run.Name) == nil && now.UID == run.UID
}

func (f *followed) gone(run show.Run, at time.Time) {
	if run.Gone == nil {
		run.Gone = &at
		f.runs[run.UID] = run
	}
}

// watchFrom follows what changes after a version. It returns nil when the cluster ends the watch, as it does from time to time.
func (c *cluster) watchFrom(ctx context.Context, s selection, version string, state *followed, each func(*followed) error) error {
	options := s.options()
	options.Watch, options.ResourceVersion, options.AllowWatchBookmarks = true, version, true
	watching, err := c.objects.Get().NamespaceIfScoped(s.namespace, s.namespace != "").Resource(testRuns).
		VersionedParams(&options, parameters).Watch(ctx)
	if isExpired(err) {
		return nil // read the list anew
	}
	if err != nil {
		return err
	}
	defer watching.Stop()
	for event := range watching.ResultChan() {
		run, isRun := event.Object.(*v1alpha1.TestRun)
		switch {
		case event.Type == watch.Error:
			err := apierrors.FromObject(event.Object)
			if isExpired(err) {
				return nil
			}
			return err
		case event.Type == watch.Bookmark || !isRun:
			continue
		case event.Type == watch.Deleted:
			setKind(run)
			if s.takes(run) {
				c.leaves(ctx, s, state, show.Run{TestRun: run})
			}
		default:
			state.set(s, run)
		}
		state.forget(s, c.now())
		if err := each(state); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// isExpired says whether the cluster does not know any more what happened since a version.
func isExpired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// watchOne follows one run until it is as asked for.
func (c *cluster) watchOne(ctx context.Context, run *v1alpha1.TestRun, until func(show.Run) (bool, error)) error {
	s := selection{namespace: run.Namespace, names: []string{run.Name}}
	return c.follow(ctx, s, func(f *followed) error {
		now, ok := f.runs[run.UID]
		if !ok { // it was deleted before the list was read
			now = show.Run{TestRun: run, Gone: new(c.now())}
		}
		now, err := c.itsEnd(ctx, now)
		if err != nil {
			return err
		}
		done, err := until(now)
		if err == nil && done {
			err = errEnough
		}
		return err
	})
}

// itsEnd is a run with its end, if it is gone: it may have finished and been deleted while nobody looked, and then the archive knows how it ended.
// That it was deleted before it had finished is an error.
func (c *cluster) itsEnd(ctx context.Context, run show.Run) (show.Run, error) {
	if run.Gone == nil || show.IsFinished(run.TestRun) {
		return run, nil
	}
	for range tries {
		archive, err := c.openArchive(ctx)
		if err != nil {
			break
		}
		kept, err := archive.Object(ctx, string(run.UID))
		if err == nil && show.IsFinished(kept) {
			setKind(kept)
			return show.Run{TestRun: kept, Gone: run.Gone}, nil
		}
		named, err := archive.Run(ctx, run.Namespace, run.Name)
		if err == nil && named.UID == string(run.UID) && named.Deleted != nil || err != nil && !remote.IsNotFound(err) || !pause(ctx) {
			break
		} // else it has not heard of the end yet
	}
	if ctx.Err() != nil {
		return run, ctx.Err()
	}
	return run, fmt.Errorf("run %s was deleted before it had finished: nobody knows how it would have ended", run.Name)
}

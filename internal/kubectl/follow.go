package kubectl

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
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
	state := &followed{runs: map[types.UID]show.Run{}}
	pause, reached := time.Duration(0), false
	for {
		version, err := c.listAll(ctx, s, state)
		if err == nil {
			if pause > 0 {
				c.note("The cluster answers again.")
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
			return c.explain(err, asked{"watch", testRuns, "", s.namespace})
		case err != nil:
			if pause == 0 {
				c.note("The cluster does not answer (%v). Trying again; the runs go on meanwhile.", err)
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
			state.gone(run, c.now())
		}
	}
	return version, nil
}

func (f *followed) set(s selection, run *v1alpha1.TestRun) {
	setKind(run)
	if !s.takes(run) {
		delete(f.runs, run.UID)
		return
	}
	f.runs[run.UID] = show.Run{TestRun: run}
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
	if err != nil {
		return err
	}
	defer watching.Stop()
	for event := range watching.ResultChan() {
		run, isRun := event.Object.(*v1alpha1.TestRun)
		switch {
		case event.Type == watch.Error:
			err := apierrors.FromObject(event.Object)
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
				return nil // read the list anew
			}
			return err
		case event.Type == watch.Bookmark || !isRun:
			continue
		case event.Type == watch.Deleted:
			setKind(run)
			if s.takes(run) {
				state.gone(show.Run{TestRun: run}, c.now())
			}
		default:
			state.set(s, run)
		}
		if err := each(state); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// watchOne follows one run until it is as asked for.
func (c *cluster) watchOne(ctx context.Context, run *v1alpha1.TestRun, until func(show.Run) (bool, error)) error {
	s := selection{namespace: run.Namespace, names: []string{run.Name}}
	return c.follow(ctx, s, func(f *followed) error {
		now, ok := f.runs[run.UID]
		if !ok { // it was deleted before the list was read
			now = show.Run{TestRun: run, Gone: new(c.now())}
		}
		done, err := until(now)
		if err == nil && done {
			err = errEnough
		}
		return err
	})
}

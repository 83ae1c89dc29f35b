package page

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/testrun-dev/testrun/internal/web"
)

const (
	// maxSelected is how many runs something may be done with at once, and actAtOnce with how many of them at the same time.
	maxSelected = 200
	actAtOnce   = 8
)

// actOnOne does something with a run; the path names both.
func (v *visit) actOnOne() error {
	a, ok := actionOf(v.r.PathValue("action"))
	if !ok {
		return errNoPage
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	var run web.RunDetails
	if err := v.get(&run, nil, "/runs/%s", v.r.PathValue("uid")); err != nil {
		return err
	}
	did, err := v.doTo(a, run.Run, v.r.PostFormValue("key"))
	back := "/runs/" + run.UID
	var refused *problem
	switch {
	case errors.As(err, &refused):
		return v.done(back, notice{Bad: true, Text: refused.Error()})
	case err != nil:
		return err
	case did.Created != nil:
		return v.toCreated(string(did.Created.UID), did.Created.Name, back, a.said(run.Name))
	}
	return v.done(back, notice{Text: a.said(run.Name)})
}

// actOnSeveral does something with runs that are selected in a list. Some may fail: the notice says which, and why.
func (v *visit) actOnSeveral() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	a, ok := actionOf(v.r.PostFormValue("action"))
	if !ok {
		return &problem{http.StatusBadRequest, "There is no such action", "Choose one of the buttons below the list of runs."}
	}
	uids := slices.Clone(v.r.PostForm["uid"])
	slices.Sort(uids)
	uids = slices.Compact(uids)
	back := localPath(v.r.PostFormValue("back"))
	switch {
	case len(uids) == 0:
		return v.done(back, notice{Bad: true, Text: "No run is selected. Tick those that you mean in the list."})
	case len(uids) > maxSelected:
		return v.done(back, notice{Bad: true, Text: fmt.Sprintf("%d runs are too many at once: select %d at most.", len(uids), maxSelected)})
	}
	errs := make([]error, len(uids))
	names := make([]string, len(uids))
	var group errgroup.Group
	group.SetLimit(actAtOnce)
	for i, uid := range uids {
		group.Go(func() error {
			var run web.RunDetails
			if errs[i] = v.get(&run, nil, "/runs/%s", uid); errs[i] == nil {
				names[i] = run.Name
				_, errs[i] = v.doTo(a, run.Run, v.r.PostFormValue("key"))
			}
			return nil
		})
	}
	_ = group.Wait() // each keeps its error
	return v.told(a, names, errs, back)
}

// told ends what was done with several runs: errs are why it was not done with some.
func (v *visit) told(a action, names []string, errs []error, back string) error {
	var all notice
	var done []string
	var failed int
	for i, err := range errs {
		var known *problem
		var refused *apiError
		switch {
		case err == nil:
			done = append(done, names[i])
			continue
		case errors.As(err, &known):
			all.Reasons = append(all.Reasons, known.Error())
		case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
			return err
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
			all.Reasons = append(all.Reasons, "One of them does not exist, or you may not see it.")
		default:
			v.log.ErrorContext(v.r.Context(), "Something cannot be done with a run", "action", a.Name, "error", err)
			all.Reasons = append(all.Reasons, "One of them cannot be found now. Try again in a moment.")
		}
		failed++
	}
	var texts []string
	switch len(done) {
	case 0:
	case 1:
		texts = append(texts, a.said(done[0]))
	default:
		texts = append(texts, fmt.Sprintf(a.many, len(done)))
	}
	if failed > 0 {
		all.Bad = true
		texts = append(texts, fmt.Sprintf(a.cannot, failed))
	}
	slices.Sort(all.Reasons)
	all.Reasons, all.Text = slices.Compact(all.Reasons), strings.Join(texts, " ")
	return v.done(back, all)
}

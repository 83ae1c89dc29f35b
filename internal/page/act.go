package page

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/newrun"
	"github.com/testrun-dev/testrun/internal/web"
)

// doing is what an action did.
type doing struct {
	// Nothing says that there was nothing to do: it was done before.
	Nothing bool
	// Created is the run that was created, if one was.
	Created *v1alpha1.TestRun
}

// doTo does something with a run, and writes into the audit what came of it.
func (v *visit) doTo(a action, run web.Run, key string) (doing, error) {
	did, err := a.do(v, run, key)
	entry := archive.AuditEntry{Action: a.Name, Namespace: run.Namespace, Name: run.Name, UID: run.UID, Result: "done"}
	if did.Created != nil {
		entry.Result = "created " + did.Created.Name
	}
	if err != nil || !did.Nothing {
		v.auditOf(entry, err)
	}
	return did, err
}

// auditOf keeps what was done, or what the cluster refused. What did not get as far as the cluster is not kept.
func (v *visit) auditOf(entry archive.AuditEntry, err error) {
	var refused apierrors.APIStatus
	if errors.As(err, &refused) {
		entry.Result = "refused: " + refused.Status().Message
	} else if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), kubeTimeout)
	defer cancel()
	entry.User = v.session.User
	if err := v.audit(ctx, entry); err != nil {
		v.log.ErrorContext(ctx, "What was done is not in the audit", "user", entry.User, "action", entry.Action, "namespace", entry.Namespace,
			"name", entry.Name, "result", entry.Result, "error", err)
	}
}

func errGone(run web.Run) error {
	return &problem{
		http.StatusConflict, "Run " + run.Name + " is not in the cluster any more", "Only what it said is kept, and nothing can be done with it.",
	}
}

// there is the run in the cluster. The error is errGone if it is not there, or if another run has its name by now.
func (v *visit) there(run web.Run) (*v1alpha1.TestRun, error) {
	var found v1alpha1.TestRun
	err := v.fetchObject(&found, testRuns, run.Namespace, run.Name)
	if apierrors.IsNotFound(err) || err == nil && string(found.UID) != run.UID {
		err = errGone(run)
	}
	return &found, err
}

// change merges a patch into the run, and into no other one that has its name by now.
func (v *visit) change(run web.Run, metadata, spec map[string]any) error {
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["uid"] = run.UID
	patch := map[string]any{"metadata": metadata}
	if spec != nil {
		patch["spec"] = spec
	}
	err := v.patchObject(patch, nil, testRuns, run.Namespace, run.Name)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return errGone(run)
	}
	return err
}

func (v *visit) cancel(run web.Run, _ string) (doing, error) {
	found, err := v.there(run)
	switch {
	case err != nil:
		return doing{}, err
	case found.Status.Phase == v1alpha1.PhaseFinished:
		return doing{}, &problem{http.StatusConflict, "Run " + run.Name + " has finished", "There is nothing to cancel."}
	case found.Spec.Cancel != nil && *found.Spec.Cancel:
		return doing{Nothing: true}, nil
	}
	return doing{}, v.change(run, nil, map[string]any{"cancel": true})
}

func (v *visit) pin(run web.Run, _ string) (doing, error) {
	found, err := v.there(run)
	if err != nil || v1alpha1.IsPinned(found) {
		return doing{Nothing: err == nil}, err // a pin may say why: that stays
	}
	return doing{}, v.change(run, map[string]any{"annotations": map[string]any{v1alpha1.AnnotationPinned: "true"}}, nil)
}

func (v *visit) unpin(run web.Run, _ string) (doing, error) {
	found, err := v.there(run)
	if _, pinned := found.Annotations[v1alpha1.AnnotationPinned]; err != nil || !pinned {
		return doing{Nothing: err == nil}, err
	}
	return doing{}, v.change(run, map[string]any{"annotations": map[string]any{v1alpha1.AnnotationPinned: nil}}, nil)
}

// rerun creates a run that repeats another one. Its name follows from the key, so that a form that is sent twice creates one run.
func (v *visit) rerun(run web.Run, key string) (doing, error) {
	found, err := v.there(run)
	if err != nil {
		return doing{}, err
	}
	again := newrun.Repeating(found)
	again.Name = again.GenerateName + endOfName(v.session.User, run.UID, key)
	created := &v1alpha1.TestRun{}
	err = v.createObject(newrun.ManifestOf(again), created, testRuns, run.Namespace)
	if !apierrors.IsAlreadyExists(err) {
		return doing{Created: created}, err
	}
	if err := v.fetchObject(created, testRuns, run.Namespace, again.Name); err != nil {
		return doing{}, err
	}
	if created.Spec.RerunOf == nil || created.Spec.RerunOf.Name != run.Name {
		return doing{}, &problem{http.StatusConflict, "There is another run of the name " + again.Name, "Try again."}
	}
	return doing{Nothing: true, Created: created}, nil
}

// endOfName is the same for the same form of the same person, and else never.
func endOfName(user, uid, key string) string {
	if key == "" {
		key = rand.Text()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", user, uid, key))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:newrun.EndLength])
}

// The archive hears of a new run in a moment.
const (
	heardWithin = 3 * time.Second
	askAgain    = 100 * time.Millisecond
)

// toCreated ends a form that has created a run: the browser goes to its page, once there is one. Else it goes back.
func (v *visit) toCreated(uid, name, back, text string) error {
	deadline := time.Now().Add(heardWithin)
	for time.Now().Before(deadline) {
		var run web.RunDetails
		var refused *apiError
		err := v.get(&run, nil, "/runs/%s", uid)
		if err == nil {
			return v.done("/runs/"+uid, notice{Text: text})
		}
		if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			return err
		}
		select {
		case <-v.r.Context().Done():
			return v.r.Context().Err()
		case <-time.After(askAgain):
		}
	}
	return v.done(back, notice{Text: text + " It is in the list as soon as the archive has heard of it: " + name + "."})
}

// actionOf finds an action by its name.
func actionOf(name string) (action, bool) {
	all := actions()
	i := slices.IndexFunc(all, func(a action) bool { return a.Name == name })
	if i < 0 {
		return action{}, false
	}
	return all[i], true
}

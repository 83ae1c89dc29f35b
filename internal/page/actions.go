package page

import (
	"crypto/rand"
	"fmt"

	"github.com/testrun-dev/testrun/internal/web"
)

// action is something that is done with runs.
type action struct {
	// Name is its word in addresses and in the audit, Label that on its button, Class how the button looks.
	Name, Label, Class string
	// one says that it was done with a run, many with several, cannot how many it could not be done with.
	one, many, cannot string
	// needs says whether the rights are enough for it, suits whether it makes sense for a run as that is now.
	needs func(Rights) bool
	suits func(web.Run) bool
	line  func(namespace, name string) string
	do    func(v *visit, run web.Run, key string) (doing, error)
}

func mayCreate(r Rights) bool { return r.Create }
func mayChange(r Rights) bool { return r.Change }

// actions are all that there are.
func actions() []action {
	return []action{
		{
			Name: "rerun", Label: "Rerun", Class: "main", one: "A run was created that repeats %s.", many: "%d runs were created, each repeats one of them.",
			cannot: "%d cannot be repeated.", needs: mayCreate, suits: func(run web.Run) bool { return run.Phase != "Pending" }, line: rerunLine, do: (*visit).rerun,
		},
		{
			Name: "cancel", Label: "Cancel", Class: "bad", one: "Run %s is being cancelled.", many: "%d runs are being cancelled.",
			cannot: "%d cannot be cancelled.", needs: mayChange, suits: func(run web.Run) bool { return run.Phase != "Finished" }, line: cancelLine, do: (*visit).cancel,
		},
		{
			Name: "pin", Label: "Pin", one: "Run %s is pinned: retention keeps it.", many: "%d runs are pinned: retention keeps them.",
			cannot: "%d cannot be pinned.", needs: mayChange, suits: func(run web.Run) bool { return !run.Pinned }, line: pinLine, do: (*visit).pin,
		},
		{
			Name: "unpin", Label: "Unpin", one: "Run %s is not pinned any more.", many: "%d runs are not pinned any more.",
			cannot: "%d cannot be unpinned.", needs: mayChange, suits: func(run web.Run) bool { return run.Pinned }, line: unpinLine, do: (*visit).unpin,
		},
	}
}

// runActions are what whoever looks may do with a run: "run-actions" of parts.html shows them.
type runActions struct {
	UID string
	// Key is new each time the page is shown, so that a form that is sent twice does its work once.
	Key      string
	Offered  []action
	Commands []command
	// Gone says that the run is not in the cluster any more, so that nothing can be done with it.
	Gone bool
}

// actionsOf are what whoever looks may do with the run.
func (v *visit) actionsOf(run web.Run) (runActions, error) {
	found := runActions{UID: run.UID, Key: rand.Text(), Gone: run.Deleted != nil}
	if found.Gone {
		return found, nil
	}
	rights, err := v.rightsIn(run.Namespace)
	if err != nil {
		return found, err
	}
	found.Commands = []command{{"See the whole object", kubectl(run.Namespace, "get", "testrun", run.Name, "--output=yaml")}}
	for _, a := range actions() {
		if a.needs(rights) && a.suits(run) {
			found.Offered = append(found.Offered, a)
			found.Commands = append(found.Commands, command{a.Label, a.line(run.Namespace, run.Name)})
		}
	}
	return found, nil
}

// several are what whoever looks may do with runs that are selected in a list.
type several struct {
	// Key is as in runActions, Back the list.
	Key, Back string
	Offered   []action
	Commands  []command
}

// severalOf are what they may do with at least one of the runs.
func (v *visit) severalOf(runs []runRow) (several, error) {
	found := several{Key: rand.Text(), Back: v.r.URL.RequestURI()}
	seen := map[string]bool{}
	var names []string
	for _, run := range runs {
		if !seen[run.Namespace] {
			seen[run.Namespace] = true
			names = append(names, run.Namespace)
		}
	}
	each, err := v.rightsInEach(names...)
	if err != nil {
		return found, err
	}
	var union Rights
	for _, rights := range each {
		union.Create, union.Change = union.Create || rights.Create, union.Change || rights.Change
	}
	for _, a := range actions() {
		if a.needs(union) {
			found.Offered = append(found.Offered, a)
			found.Commands = append(found.Commands, command{a.Label, a.line("NAMESPACE", "NAME")})
		}
	}
	return found, nil
}

// said is what is said of an action that was done with a run.
func (a action) said(name string) string { return fmt.Sprintf(a.one, name) }

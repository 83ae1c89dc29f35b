package page

import (
	"cmp"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/web"
)

// testsView is the list of Tests.
type testsView struct {
	Rows []testRow
	// Older is the address of the next page; empty on the last one. First says that this is the first page.
	Older string
	First bool
	// Unread says why Tests that never ran are left out.
	Unread string
}

// testRow is a Test, or what else runs are compared within.
type testRow struct {
	web.Series
	Path, Rate string
	Strip      template.HTML
	// Never says that it never ran.
	Never bool
	// Does is what the Test says that it is for.
	Does string
}

const (
	testsPage = "50"
	// maxListsOfTests is how many namespaces are asked for their Tests.
	maxListsOfTests = 50
	askedAtOnce     = 8
)

func (v *visit) tests() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := testsView{First: v.r.FormValue("after") == ""}
	query, ok := v.namespaces.query()
	if !ok {
		return v.show(http.StatusOK, "tests", "Tests", view)
	}
	query.Set("limit", testsPage)
	if !view.First {
		query.Set("after", v.r.FormValue("after"))
	}
	var list web.SeriesList
	if err := v.get(&list, query, "/series"); err != nil {
		return err
	}
	for _, series := range list.Items {
		view.Rows = append(view.Rows, testRow{Series: series, Path: seriesPath(series.Namespace, series.Series), Rate: passRate(series.Recent)})
	}
	if err := v.addStrips(view.Rows); err != nil {
		return err
	}
	from, to := v.r.FormValue("from"), ""
	if list.Next != "" && len(list.Items) > 0 {
		last := list.Items[len(list.Items)-1]
		to = placeOf(last.Namespace, last.Series)
		older := url.Values{"after": {list.Next}, "from": {to}}
		if v.namespaces.Chosen != "" {
			older.Set("namespace", v.namespaces.Chosen)
		}
		view.Older = "/tests?" + older.Encode()
	}
	if err := v.addNeverRun(&view, from, to); err != nil {
		return err
	}
	return v.show(http.StatusOK, "tests", "Tests", view)
}

// placeOf is the place of a series in the list.
func placeOf(namespace, series string) string { return namespace + "/" + series }

// addStrips adds the last outcomes to each row.
func (v *visit) addStrips(rows []testRow) error {
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i := range rows {
		group.Go(func() error {
			var list web.RunList
			query := url.Values{"namespace": {rows[i].Namespace}, "series": {rows[i].Series.Series}, "limit": {"20"}}
			err := v.get(&list, query, "/runs")
			rows[i].Strip = stripOf(runsOf(list.Items), rowPlaces, false)
			return err
		})
	}
	return group.Wait()
}

// addNeverRun adds what Tests say of themselves, and the Tests of the cluster that have no runs, and whose places are after from and not after to; no to is the end.
func (v *visit) addNeverRun(view *testsView, from, to string) error {
	there, err := v.allTests()
	if err != nil {
		var refused *apiError
		if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
			return err
		}
		view.Unread = "Tests that never ran are left out: the cluster cannot be asked for them now."
	}
	ran := map[string]int{}
	for i, row := range view.Rows {
		ran[placeOf(row.Namespace, row.Series.Series)] = i
	}
	for _, test := range there {
		place := placeOf(test.Namespace, test.Name)
		if row, ok := ran[place]; ok {
			view.Rows[row].Does = test.Spec.Description
		} else if place > from && (to == "" || place <= to) {
			view.Rows = append(view.Rows, testRow{
				Series: web.Series{Namespace: test.Namespace, Series: test.Name, Test: test.Name}, Path: seriesPath(test.Namespace, test.Name),
				Never: true, Does: test.Spec.Description,
			})
		}
	}
	slices.SortFunc(view.Rows, func(a, b testRow) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Series.Series, b.Series.Series))
	})
	return nil
}

// allTests are the Tests of the cluster that whoever looks may see: those of the namespace that they look at, or of theirs.
func (v *visit) allTests() ([]v1alpha1.Test, error) {
	names := v.namespaces.Items[:min(len(v.namespaces.Items), maxListsOfTests)]
	if v.namespaces.Chosen != "" {
		names = []string{v.namespaces.Chosen}
	} else if v.namespaces.All {
		names = []string{""}
	}
	lists := make([]v1alpha1.TestList, len(names))
	var group errgroup.Group
	group.SetLimit(askedAtOnce)
	for i, name := range names {
		group.Go(func() error {
			err := v.listObjects(&lists[i], tests, name, nil)
			if apierrors.IsForbidden(err) {
				err = nil
			}
			return err
		})
	}
	err := group.Wait()
	var all []v1alpha1.Test
	for _, list := range lists {
		all = append(all, list.Items...)
	}
	return all, err
}

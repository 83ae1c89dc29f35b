package page

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/testrun-dev/testrun/internal/web"
)

// compareView is what differs between two runs.
type compareView struct {
	Run        web.RunDetails
	Comparison web.Comparison
	// None says why there is nothing to compare with.
	None  string
	Next  string
	First bool
}

func (v *visit) compare() error {
	if err := v.lookAround(); err != nil {
		return err
	}
	view := compareView{First: v.r.FormValue("after") == ""}
	uid := v.r.PathValue("uid")
	if err := v.get(&view.Run, nil, "/runs/%s", uid); err != nil {
		return err
	}
	query := url.Values{"limit": {"100"}}
	for _, name := range []string{"with", "after", "attempt"} {
		if value := v.r.FormValue(name); value != "" {
			query.Set(name, value)
		}
	}
	err := v.get(&view.Comparison, query, "/runs/%s/compare", uid)
	var refused *apiError
	if errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadRequest) {
		view.None, err = refused.Detail, nil
	}
	if err != nil {
		return err
	}
	if view.Comparison.Next != "" {
		query.Set("after", view.Comparison.Next)
		query.Del("limit")
		view.Next = "?" + query.Encode()
	}
	return v.show(http.StatusOK, "compare", "Compare "+view.Run.Name, view)
}

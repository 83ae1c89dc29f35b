package page

import (
	"errors"
	"net/http"
)

// problem is why there is no page, in words for people: what is wrong, and what to do.
type problem struct {
	status       int
	what, advice string
}

// Error is both sentences.
func (p *problem) Error() string { return p.what + ". " + p.advice }

var errNoPage = &problem{http.StatusNotFound, "There is no such page", "The address may be mistyped. The list of runs is a good place to start."}

// problemView is the page of a problem.
type problemView struct {
	Status       int
	What, Advice string
}

// fail answers with a page that says what is wrong.
func (v *visit) fail(err error) {
	view := v.viewOf(err)
	if view.Status >= http.StatusInternalServerError {
		v.log.ErrorContext(v.r.Context(), "A page cannot be shown", "path", v.r.URL.Path, "error", err)
	}
	if err := v.show(view.Status, "problem", view.What, view); err != nil {
		http.Error(v.w, "The page cannot be shown. The log of the server says why.", http.StatusInternalServerError)
	}
}

func (v *visit) viewOf(err error) problemView {
	var known *problem
	var refused *apiError
	switch {
	case errors.As(err, &known):
		return problemView{known.status, known.what, known.advice}
	case !errors.As(err, &refused):
		return problemView{http.StatusInternalServerError, "The page cannot be shown", "The log of the server says why."}
	case refused.Status == http.StatusNotFound:
		return problemView{
			http.StatusNotFound, "There is nothing here that you may see",
			"Either it does not exist, or you have no right to it: kubectl auth can-i get testruns --namespace=NAMESPACE tells which.",
		}
	case refused.Status == http.StatusServiceUnavailable:
		return problemView{refused.Status, "This cannot be answered now", refused.Detail}
	case refused.Status >= http.StatusInternalServerError:
		return problemView{refused.Status, "The archive cannot answer this", "The log of the server says why."}
	default:
		return problemView{refused.Status, "This cannot be shown", refused.Detail}
	}
}

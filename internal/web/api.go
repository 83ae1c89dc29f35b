package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/testrun-dev/testrun/internal/archive"
)

// The parts of paths that name what an operation is about.
const (
	inNamespace = Root + "/namespaces/{namespace}"
	runByName   = inNamespace + "/runs/{name}"
	runByUID    = Root + "/runs/{uid}"
)

func config() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "TestRun's archive", Version: "v1", Description: "Everything that runs said, also after they are deleted. " +
				"What a caller may not see is answered like what does not exist."},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {
					Type: "http", Scheme: "bearer", Description: "A token of the cluster, as `kubectl create token` makes one.",
				}},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// operation is one thing to ask for.
type operation struct {
	id, path, summary, description string
	// right is what one has to have the right to get, besides the run itself.
	right string
	// errors are the statuses of errors that not every operation has.
	errors []int
	change func(*huma.Operation)
}

func (o operation) in(path string, parameters ...*huma.Param) huma.Operation {
	described := huma.Operation{
		Method: http.MethodGet, Path: path + o.path, OperationID: o.id, Summary: o.summary, Description: o.description,
		Parameters: parameters,
		Errors: append([]int{
			http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable,
		}, o.errors...),
	}
	if o.right != toRun {
		described.Errors = append(described.Errors, http.StatusForbidden)
	}
	if o.change != nil {
		o.change(&described)
	}
	return described
}

func pathParameter(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

var (
	namespaceParameter = pathParameter("namespace", "A namespace.")
	nameParameter      = pathParameter("name", "The name of a run. If there have been several, it is the newest.")
	uidParameter       = pathParameter("uid", "The UID of a run.")
	seriesParameter    = pathParameter("series", "The series: the name of the Test, or what the run's label testrun.dev/series says, or its generateName.")
)

// ofRun registers an operation about a run, by its name and by its UID. handle gets the run when the caller may see it.
func ofRun[I, O any](s *server, api huma.API, o operation, handle func(context.Context, archive.Run, *I) (*O, error)) {
	answer := func(ctx context.Context, input *I) (*O, error) {
		run, _ := ctx.Value(runKey{}).(archive.Run)
		output, err := handle(ctx, run, input)
		return output, s.told(ctx, err)
	}
	for _, way := range []struct {
		path, suffix string
		parameters   []*huma.Param
	}{
		{runByName, "", []*huma.Param{namespaceParameter, nameParameter}},
		{runByUID, "-by-uid", []*huma.Param{uidParameter}},
	} {
		described := o.in(way.path, way.parameters...)
		described.OperationID += way.suffix
		described.Tags = []string{"run"}
		described.Middlewares = huma.Middlewares{s.findsRun(o.right)}
		huma.Register(api, described, answer)
	}
}

// ofNamespace registers an operation about the runs of a namespace, or of one of its series.
func ofNamespace[I, O any](s *server, api huma.API, path string, o operation, handle func(context.Context, place, *I) (*O, error)) {
	parameters := []*huma.Param{namespaceParameter}
	if strings.Contains(path+o.path, "{series}") {
		parameters = append(parameters, seriesParameter)
	}
	described := o.in(path, parameters...)
	described.Tags = []string{"namespace"}
	described.Middlewares = huma.Middlewares{s.findsNamespace(o.right)}
	huma.Register(api, described, func(ctx context.Context, input *I) (*O, error) {
		where, _ := ctx.Value(placeKey{}).(place)
		output, err := handle(ctx, where, input)
		return output, s.told(ctx, err)
	})
}

// SomeNamespaces are the parameter of a list over several namespaces.
type SomeNamespaces struct {
	Namespace []string `query:"namespace" maxItems:"200" doc:"Only what is in these namespaces; several with commas between them. Without it you need the right to get testruns in all namespaces."`
}

// overNamespaces registers a list that a namespace has, too, for several namespaces.
func overNamespaces[I, O any](s *server, api huma.API, o operation, namespaces func(*I) []string, handle func(context.Context, []string, *I) (*O, error)) {
	o.errors = []int{http.StatusForbidden}
	described := o.in(Root)
	described.Tags = []string{"runs"}
	huma.Register(api, described, func(ctx context.Context, input *I) (*O, error) {
		asked := namespaces(input)
		err := s.allowAll(ctx, asked, o.path)
		if err != nil {
			return nil, s.told(ctx, err)
		}
		if len(asked) == 0 {
			asked = nil // all
		}
		output, err := handle(ctx, asked, input)
		return output, s.told(ctx, err)
	})
}

type (
	runKey   struct{}
	placeKey struct{}
)

// place is a namespace, or one of its series.
type place struct{ namespace, series string }

// findsRun looks for the run that the path names, if the caller may see it.
func (s *server) findsRun(right string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		run, err := s.run(ctx.Context(), ctx.Param("namespace"), ctx.Param("name"), ctx.Param("uid"))
		if err == nil && right != toRun {
			err = s.allow(ctx.Context(), run.Namespace, right, forbidden("You may see this run, but not this part of it: ask for the right to get testruns/"+right+" in its namespace."))
		}
		if err != nil {
			s.refuse(ctx, err)
			return
		}
		next(huma.WithValue(ctx, runKey{}, run))
	}
}

// run finds a run by its UID, or else by its name. It asks nothing of the store before the caller's rights in the namespace are known.
func (s *server) run(ctx context.Context, namespace, name, uid string) (archive.Run, error) {
	if uid == "" {
		if !isName(namespace) || !isName(name) {
			return archive.Run{}, errNothing
		}
		if err := s.allow(ctx, namespace, toRun, errNothing); err != nil {
			return archive.Run{}, err
		}
		return s.store.RunNamed(ctx, namespace, name)
	}
	if !isName(uid) {
		return archive.Run{}, errNothing
	}
	run, err := s.store.Run(ctx, uid)
	if err == nil {
		err = s.allow(ctx, run.Namespace, toRun, errNothing)
	}
	return run, err
}

// findsNamespace lets those through who may see the runs of the namespace that the path names, and have the right besides.
func (s *server) findsNamespace(right string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		where := place{ctx.Param("namespace"), ctx.Param("series")}
		err := errNothing
		if isName(where.namespace) && isText(where.series) {
			err = s.allow(ctx.Context(), where.namespace, toRun, errNothing)
		}
		if err == nil && right != toRun {
			err = s.allow(ctx.Context(), where.namespace, right, forbidden("You may see the runs of this namespace, but not this: ask for the right to get testruns/"+right+" in it."))
		}
		if err != nil {
			s.refuse(ctx, err)
			return
		}
		next(huma.WithValue(ctx, placeKey{}, where))
	}
}

// allow returns otherwise if the caller may not get that subresource of testruns in the namespace.
func (s *server) allow(ctx context.Context, namespace, subresource string, otherwise error) error {
	may, err := s.may(ctx, namespace, subresource)
	if err == nil && !may {
		err = otherwise
	}
	return err
}

var retrySoon = http.Header{"Retry-After": {"1"}}

func forbidden(sentence string) error { return huma.Error403Forbidden(sentence) }

// told is the error that is answered: one for everything that is not there, and none of the server's own words.
func (s *server) told(ctx context.Context, err error) error {
	var known huma.StatusError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, errNothing), errors.Is(err, archive.ErrNotFound):
		return huma.Error404NotFound("There is nothing of that name that you may see.")
	case errors.Is(err, archive.ErrExpired):
		return huma.Error410Gone("It was kept, and was deleted by its retention.")
	case errors.Is(err, context.DeadlineExceeded):
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("This takes too long now. Ask for less at once, or try again."), retrySoon)
	case ctx.Err() != nil:
		return huma.NewError(statusClientGone, "The request was given up.")
	}
	s.log.ErrorContext(ctx, "A request cannot be answered", "error", err)
	return huma.Error500InternalServerError("The server cannot answer this now. Its log says why.")
}

// statusClientGone is what servers log of a client that did not wait for its answer.
const statusClientGone = 499

// refuse answers with an error before an operation began.
func (s *server) refuse(ctx huma.Context, err error) {
	err = s.told(ctx.Context(), err)
	_, w := humago.Unwrap(ctx)
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			w.Header()[name] = values
		}
	}
	var known huma.StatusError
	if errors.As(err, &known) {
		writeProblem(w, known.GetStatus(), known.Error())
	}
}

// isName says whether an object of Kubernetes can have that name, or that UID.
func isName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// isText says whether a database takes the text.
func isText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/testrun-dev/testrun/internal/web"
)

// api asks the JSON API of this process.
type api struct{ handler http.Handler }

// apiError is an answer that is none.
type apiError struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Error is what the API says.
func (e *apiError) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Detail) }

// get asks for a path below web.Root, and reads the answer.
func (a api) get(ctx context.Context, token, path string, query url.Values, into any) error {
	request, err := a.request(ctx, token, path, query)
	if err != nil {
		return err
	}
	return a.do(request, into)
}

func (a api) do(request *http.Request, into any) error {
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	a.handler.ServeHTTP(answer, request)
	if answer.status != http.StatusOK && answer.status != http.StatusCreated {
		refused := &apiError{}
		if err := json.Unmarshal(answer.body.Bytes(), refused); err != nil || refused.Status == 0 {
			refused = &apiError{Status: answer.status, Detail: http.StatusText(answer.status)}
		}
		return refused
	}
	return json.Unmarshal(answer.body.Bytes(), into)
}

// create creates a run. Of several requests with the same key, one does.
func (v *visit) create(namespace, key string, run web.NewRun) (created web.CreatedRun, err error) {
	text, err := json.Marshal(run)
	if err != nil {
		return created, err
	}
	request, err := v.api.request(v.r.Context(), v.session.Token, "/namespaces/"+url.PathEscape(namespace)+"/runs", nil)
	if err != nil {
		return created, err
	}
	request.Method, request.Body, request.ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(text)), int64(len(text))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	err = v.api.do(request, &created)
	return created, err
}

func (a api) request(ctx context.Context, token, path string, query url.Values) (*http.Request, error) {
	target := web.Root + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.RequestURI = target
	request.RemoteAddr, _ = ctx.Value(clientKey{}).(string)
	return request, nil
}

// clientKey finds the address of whoever looks: the API bounds how many tokens are tried from one.
type clientKey struct{}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header            { return r.header }
func (r *recorder) WriteHeader(status int)         { r.status = status }
func (r *recorder) Write(part []byte) (int, error) { return r.body.Write(part) }

// get asks the API with the token of whoever looks. The path's parts are text; %s stands for one.
func (v *visit) get(into any, query url.Values, path string, parts ...string) error {
	escaped := make([]any, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return v.api.get(v.r.Context(), v.session.Token, fmt.Sprintf(path, escaped...), query, into)
}

// namespaces are those of which somebody may see the runs, and those of them that they look at.
type namespaces struct {
	web.NamespaceList
	// Chosen is the one that the page is about; empty for all.
	Chosen string
}

// lookAround reads which namespaces there are for whoever looks. The namespace of the query is one that they look at.
func (v *visit) lookAround() error {
	if err := v.get(&v.namespaces.NamespaceList, nil, "/namespaces"); err != nil {
		return err
	}
	v.namespaces.Chosen = v.r.FormValue("namespace")
	return nil
}

// maxNamespaces is how many namespaces a list names.
const maxNamespaces = 200

// query are the parameters that select what whoever looks may see; ok is false if they may see nothing.
func (n namespaces) query() (query url.Values, ok bool) {
	query = url.Values{}
	switch {
	case n.Chosen != "":
		query.Set("namespace", n.Chosen)
	case n.All:
	case len(n.Items) == 0:
		return query, false
	default:
		query.Set("namespace", strings.Join(n.Items[:min(len(n.Items), maxNamespaces)], ","))
	}
	return query, true
}

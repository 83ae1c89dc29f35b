// Package web is the JSON API of the archive, and decides who may see what. It is served below /api/v1, and described by the OpenAPI
// document at /api/v1/openapi.json: see docs/archive.md.
//
// The rights are Kubernetes' own. A request carries a bearer token of the cluster. The API server says whose it is (TokenReview) and what
// they may see (SubjectAccessReview). Runs and cases need the right to get testruns in the run's namespace. Output needs the right to
// get testruns/log besides, and artifacts testruns/artifacts. What is forbidden and what does not exist get the same answer.
//
// The package writes nothing but the audit. It creates a run with the token of whoever asks for it.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Root begins the path of every request.
const Root = "/api/v1"

// Blobs is what the API asks of blobs.Blobs: the bytes of a blob from offset on, to its end if length is below 0.
type Blobs interface {
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
}

// Options say where the API reads from.
type Options struct {
	Store Store
	Blobs Blobs
	// Config reaches the API server. Its own credentials serve for reviews only: a run is created with the caller's token alone.
	Config *rest.Config
	Log    *slog.Logger
}

// New returns the API. It answers every path.
func New(options Options) (http.Handler, error) {
	clients, err := kubernetes.NewForConfig(options.Config)
	if err != nil {
		return nil, err
	}
	creator, err := newCreator(options.Config)
	if err != nil {
		return nil, err
	}
	s := &server{
		store:      options.Store,
		blobs:      options.Blobs,
		log:        options.Log,
		identities: newIdentities(clients.AuthenticationV1().TokenReviews()),
		rights:     newRights(clients.AuthorizationV1().SubjectAccessReviews()),
		creator:    creator,
		requests:   NewGate(maxRequests, maxRequestsOfUser),
		streams:    NewGate(maxStreams, maxStreamsOfUser),
		listeners:  NewGate(maxListeners, maxListenersOfUser),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.indexes = newLineIndexes()
	s.changes = &changes{store: s.store, log: s.log}
	return s.handler(), nil
}

// server answers requests.
type server struct {
	store      Store
	blobs      Blobs
	log        *slog.Logger
	identities *identities
	rights     *rights
	creator    *creator
	// requests bounds those that are answered at once, and streams those of them that may take long.
	requests, streams *Gate
	// listeners bounds who listens to events, and changes knows what they hear.
	listeners *Gate
	changes   *changes
	// indexes know where the lines of outputs begin.
	indexes *lineIndexes
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	document := textOf(s.register(mux))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "There is no such path, or not with this method. "+Root+"/openapi.json lists them.")
	})
	outer := http.NewServeMux()
	outer.Handle("/", s.authenticated(s.limited(mux)))
	outer.HandleFunc("GET "+Root+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document)
	})
	return guarded(outer)
}

// Document is the OpenAPI document, and its text as it is served.
func Document() (document *huma.OpenAPI, text []byte) {
	document = (&server{}).register(http.NewServeMux())
	return document, textOf(document)
}

func textOf(document *huma.OpenAPI) []byte {
	compact, err := document.MarshalJSON()
	var text bytes.Buffer
	if err == nil {
		err = json.Indent(&text, compact, "", "  ")
	}
	if err != nil {
		panic(err) // it is the same each time
	}
	text.WriteByte('\n')
	return text.Bytes()
}

// register registers all operations and returns what describes them.
func (s *server) register(mux *http.ServeMux) *huma.OpenAPI {
	api := humago.New(mux, config())
	s.registerRuns(api)
	s.registerCases(api)
	s.registerSeries(api)
	s.registerFlaky(api)
	s.registerCompare(api)
	s.registerOutput(api)
	s.registerLines(api)
	s.registerArtifacts(api)
	s.registerCreate(api)
	s.registerEvents(api)
	s.registerAudit(api)
	s.registerDepth(api)
	s.registerMe(api)
	return api.OpenAPI()
}

// errNothing is what is answered for what does not exist, and for what the caller may not see.
var errNothing = errors.New("nothing there")

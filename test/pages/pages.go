// Package pages serves the pages with made-up runs, in front of a real API server, for tests and for whoever changes the pages.
package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/page"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/web"
)

// Site is an archive with its API and its pages.
type Site struct {
	Store *archive.Store
	// Server serves both over TLS.
	Server *httptest.Server

	blobs blobs.Blobs
}

// Open opens an archive, with its blobs in the folder. Nobody serves it.
func Open(ctx context.Context, database, folder string) (s *Site, err error) {
	s = &Site{}
	if s.Store, err = archive.Open(ctx, database); err != nil {
		return nil, err
	}
	s.blobs, err = blobs.Open(ctx, "file:"+folder+"/blobs")
	return s, err
}

// Start makes the pages of an archive in the folder, to be started. config reaches the API server. change changes how the pages are.
func Start(ctx context.Context, config *rest.Config, folder string, change ...func(*page.Options)) (*Site, error) {
	s, err := Open(ctx, "sqlite:"+folder+"/archive.db", folder)
	if err != nil {
		return nil, err
	}
	s.Server = httptest.NewUnstartedServer(nil)
	api, err := web.New(web.Options{Store: s.Store, Blobs: s.blobs, Config: config}) //nolint:contextcheck // each request has its own
	if err != nil {
		return nil, err
	}
	address := &url.URL{Scheme: "https", Host: s.Server.Listener.Addr().String()}
	options := page.Options{URL: address, API: api, Config: config, Audit: s.Store.Audit, Key: page.NewKey(), Ended: s.Store}
	for _, c := range change {
		c(&options)
	}
	pages, err := page.New(options)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(web.Root+"/", api)
	mux.Handle("/", pages)
	s.Server.Config.Handler = mux
	web.SetLimits(s.Server.Config)
	return s, nil
}

// Close ends it.
func (s *Site) Close() error {
	if s.Server != nil {
		s.Server.Close()
	}
	return errors.Join(s.Store.Close(), s.blobs.Close())
}

// Keep keeps states of runs.
func (s *Site) Keep(ctx context.Context, states ...archive.RunState) error {
	return s.Store.Apply(ctx, archive.Batch{Runs: states})
}

// OwnerOf is the first attempt of a run.
func OwnerOf(run archive.Run) archive.Owner {
	return archive.Owner{UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Created: run.Created, Attempt: 1}
}

// KeepStream keeps a stream of an attempt, whole.
func (s *Site) KeepStream(ctx context.Context, owner archive.Owner, stream push.Stream, text string, cases ...archive.CaseLine) error {
	const most = 1 << 20
	for offset := 0; offset < len(text); offset += most {
		if err := s.keepPart(ctx, owner, stream, int64(offset), text[offset:min(offset+most, len(text))], cases...); err != nil {
			return err
		}
	}
	_, err := s.Store.SetEnd(ctx, owner, push.End{Streams: []push.StreamEnd{{
		Kind: stream.Kind, Path: stream.Path, Length: int64(len(text)), SHA256: sha256Of(text),
	}}})
	return err
}

// keepPart keeps a part of a stream of an attempt.
func (s *Site) keepPart(ctx context.Context, owner archive.Owner, stream push.Stream, offset int64, part string, cases ...archive.CaseLine) error {
	blob := pack(part)
	key := fmt.Sprintf("%s/%d/%s/%d-%s", owner.UID, owner.Attempt, stream.Kind, offset, sha256Of(stream.Path+part))
	if err := s.blobs.Put(ctx, key, blob); err != nil {
		return err
	}
	_, err := s.Store.AddChunk(ctx, archive.NewChunk{
		Owner: owner, Stream: stream, Source: archive.FromRunner, Data: []byte(part), Cases: cases,
		Chunk: archive.Chunk{Offset: offset, Length: int64(len(part)), Key: key, Size: int64(len(blob))},
	})
	return err
}

// KeepCases keeps the cases of an attempt.
func (s *Site) KeepCases(ctx context.Context, owner archive.Owner, cases ...push.Case) error {
	var text strings.Builder
	var lines []archive.CaseLine
	for i, c := range cases {
		c.Number = int64(i + 1)
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		lines = append(lines, archive.CaseLine{Case: c, Offset: int64(text.Len())})
		text.Write(append(line, '\n'))
	}
	return s.KeepStream(ctx, owner, push.Stream{Kind: push.Cases}, text.String(), lines...)
}

func pack(text string) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write([]byte(text)) // a buffer takes everything
	_ = writer.Close()
	return packed.Bytes()
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

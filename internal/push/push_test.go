package push

import (
	"net/url"
	"strings"
	"testing"
)

var attempt = Attempt{"default", "smoke", "6f2c0f0e", 2}

func TestTheServerReadsWhatTheRunnerAsksFor(t *testing.T) {
	chunk := func(kind Kind, path string) Target {
		return Target{Attempt: attempt, Stream: &Stream{kind, path}, Offset: 7, Length: 9}
	}
	for address, want := range map[string]Target{
		ProgressPath(attempt): {Attempt: attempt, Progress: true},
		EndPath(attempt):      {Attempt: attempt, End: true},

		ChunkPath(attempt, Stream{Kind: Output}, 7, 9):              chunk(Output, ""),
		ChunkPath(attempt, Stream{Kind: Cases}, 7, 9):               chunk(Cases, ""),
		ChunkPath(attempt, Stream{Artifact, "a.x"}, 7, 9):           chunk(Artifact, "a.x"),
		ChunkPath(attempt, Stream{Artifact, "a b/ü?c=%2F#1"}, 7, 9): chunk(Artifact, "a b/ü?c=%2F#1"),
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseTarget(u)
		if err != nil || got.Attempt != want.Attempt || got.Progress != want.Progress || got.End != want.End ||
			got.Offset != want.Offset || got.Length != want.Length || (got.Stream == nil) != (want.Stream == nil) ||
			got.Stream != nil && *got.Stream != *want.Stream {
			t.Errorf("%s is read as %+v, %v", address, got, err)
		}
	}
}

func TestAPathThatCannotBeIsRefused(t *testing.T) {
	const chunk = "?offset=0&length=1"
	long := strings.Repeat("a", maxPath+1)
	for _, address := range []string{
		"/", "/push/v1/", "/push/v1/default/smoke/6f2c0f0e/2", "/push/v1/default/smoke/6f2c0f0e/2/" + chunk,
		"/push/v2/default/smoke/6f2c0f0e/2/output" + chunk, "/push/v1/default/smoke/6f2c0f0e/0/output" + chunk,
		"/push/v1/default/smoke/6f2c0f0e/x/output" + chunk, "/push/v1/default/smoke//2/output" + chunk,
		"/push/v1/default/../6f2c0f0e/2/output" + chunk, "/push/v1/default/%2e%2e/6f2c0f0e/2/output" + chunk,
		"/push/v1/default/a%2Fb/6f2c0f0e/2/output" + chunk, "/push/v1/default/smoke/6f2c0f0e/2/output/x" + chunk,
		"/push/v1/default/smoke/6f2c0f0e/2/artifact" + chunk, "/push/v1/default/smoke/6f2c0f0e/2/artifact/.." + chunk,
		"/push/v1/default/smoke/6f2c0f0e/2/artifact/a//b" + chunk, "/push/v1/default/smoke/6f2c0f0e/2/artifact/a%00" + chunk,
		"/push/v1/default/smoke/6f2c0f0e/2/artifact/" + long + chunk, "/push/v1/default/smoke/6f2c0f0e/2/other" + chunk,
		"/push/v1/default/smoke/6f2c0f0e/2/end/x", "/push/v1/default/smoke/6f2c0f0e/2/output",
		"/push/v1/default/smoke/6f2c0f0e/2/output?offset=-1&length=1", "/push/v1/default/smoke/6f2c0f0e/2/output?offset=9223372036854775807&length=1",
		"/push/v1/default/smoke/6f2c0f0e/2/output?offset=0&length=0", "/push/v1/default/smoke/6f2c0f0e/2/output?offset=0&length=1048577",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseTarget(u); err == nil {
			t.Errorf("%s is read as %+v", address, got)
		}
	}
}

func TestAStreamThatCannotBeIsNotValid(t *testing.T) {
	for _, stream := range []Stream{
		{},
		{Kind: "other"},
		{Output, "x"},
		{Cases, "x"},
		{Artifact, ""},
		{Artifact, "/a"},
		{Artifact, "a/"},
		{Artifact, "a//b"},
		{Artifact, "."},
		{Artifact, ".."},
		{Artifact, "../a"},
		{Artifact, "a/../b"},
		{Artifact, "a/./b"},
		{Artifact, "a\x00"},
		{Artifact, strings.Repeat("a", maxPath+1)},
	} {
		if stream.IsValid() {
			t.Errorf("%+v is valid", stream)
		}
	}
	for _, stream := range []Stream{{Kind: Output}, {Kind: Cases}, {Artifact, "a"}, {Artifact, "a/..b/c.xml"}, {Artifact, "ü b"}} {
		if !stream.IsValid() {
			t.Errorf("%+v is not valid", stream)
		}
	}
}

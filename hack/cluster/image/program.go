package image

import (
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Program is an image that holds one static program and nothing else.
type Program struct {
	Name   string // the image's name; only Write needs it
	Binary string // the program's file
	User   string // uid:gid that it runs as
}

// Write makes the image, for this machine's architecture.
func (p Program) Write(output string) error {
	content, err := p.content()
	if err != nil {
		return err
	}
	return save(output, p.Name, content, p.config())
}

// OCI makes the image in OCI's format, for an architecture. Its time of creation and its labels are given.
func (p Program) OCI(architecture string, created time.Time, labels map[string]string) (v1.Image, error) {
	content, err := p.content()
	if err != nil {
		return nil, err
	}
	config := p.config()
	config.Labels = labels
	image, err := build(content, &v1.ConfigFile{Architecture: architecture, Created: v1.Time{Time: created.UTC()}, Config: config},
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON), nil
}

func (p Program) content() (files, error) {
	binary, err := os.ReadFile(p.Binary)
	if err != nil {
		return nil, err
	}
	content := files{}
	content.regular(p.program(), 0o755, binary)
	return content, nil
}

func (p Program) config() v1.Config {
	return v1.Config{
		Entrypoint: []string{path.Join("/", p.program())}, User: p.User, WorkingDir: "/",
		Env: []string{"PATH=/"},
	}
}

func (p Program) program() string { return filepath.Base(p.Binary) }

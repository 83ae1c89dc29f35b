// Package image makes images without a container engine and without network: from a program, or from Debian packages.
// The same input gives the same bytes.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// epoch is the time of every file and image.
var epoch = time.Unix(0, 0).UTC()

// files is a file system: the entries by path, which has no slash in front.
type files map[string]file

type file struct {
	header  tar.Header
	content []byte
}

func (f files) dir(name string, mode int64, uid int) {
	f[name] = file{header: tar.Header{Typeflag: tar.TypeDir, Mode: mode, Uid: uid, Gid: uid}}
}

func (f files) regular(name string, mode int64, content []byte) {
	f[name] = file{header: tar.Header{Typeflag: tar.TypeReg, Mode: mode}, content: content}
}

func (f files) symlink(name, target string) {
	f[name] = file{header: tar.Header{Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}}
}

// write writes the entries in order of their names, with nothing in them that differs from day to day. A folder comes
// before what is in it by its name; hard links come last, since their target has to be there.
func (f files) write(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, hardLinks := range []bool{false, true} {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			entry := f[name]
			if (entry.header.Typeflag == tar.TypeLink) != hardLinks {
				continue
			}
			header := tar.Header{
				Name: name, Typeflag: entry.header.Typeflag, Mode: entry.header.Mode, Linkname: entry.header.Linkname,
				Uid: entry.header.Uid, Gid: entry.header.Gid, Size: int64(len(entry.content)), ModTime: epoch, Format: tar.FormatPAX,
			}
			if header.Typeflag == tar.TypeDir {
				header.Name += "/"
			}
			if err := out.WriteHeader(&header); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if _, err := out.Write(entry.content); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return out.Close()
}

// save writes an image of one layer as a tar that `ctr images import` and `docker load` read.
func save(output, reference string, content files, config v1.Config) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return fmt.Errorf("image name %q: %w", reference, err)
	}
	image, err := build(content, &v1.ConfigFile{Architecture: runtime.GOARCH, Created: v1.Time{Time: epoch}, Config: config})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	if err := tarball.WriteToFile(output+".new", tag, image); err != nil {
		return fmt.Errorf("write %s: %w", output, err)
	}
	return os.Rename(output+".new", output)
}

// build makes an image of one layer.
func build(content files, file *v1.ConfigFile, options ...tarball.LayerOption) (v1.Image, error) {
	var layerTar bytes.Buffer
	if err := content.write(&layerTar); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layerTar.Bytes())), nil
	}, options...)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	layers, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file.OS, file.RootFS = "linux", layers.RootFS
	return mutate.ConfigFile(image, file)
}

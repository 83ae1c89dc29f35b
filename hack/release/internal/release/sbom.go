package release

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// makeSBOMs writes for each program, as it was compiled for each platform, which modules it is made of.
func (w *workshop) makeSBOMs(ctx context.Context) error {
	for _, p := range nodes {
		for _, program := range w.Programs {
			if err := w.makeSBOM(ctx, p, program); err != nil {
				return err
			}
		}
	}
	if !w.hasPlugin() {
		return nil
	}
	for _, p := range desks {
		if err := w.makeSBOM(ctx, p, plugin); err != nil {
			return err
		}
	}
	return nil
}

func (w *workshop) makeSBOM(ctx context.Context, p platform, program string) error {
	tool := filepath.Join(w.Root, "bin", "tools", "cyclonedx-gomod")
	made, err := command(ctx, w.Root, nil, tool, "bin", "-json", "-std", "-noserial", "-notimestamp",
		"-version", w.release.Version, w.binary(p, program))
	if err != nil {
		return err
	}
	content, err := settle([]byte(made), w.release.Time)
	if err != nil {
		return fmt.Errorf("%s for %s: %w", program, p, err)
	}
	return w.write(fmt.Sprintf("sbom/%s_%s.cdx.json", program, p), content)
}

// settle makes a list the same wherever it is made. It takes out the checksums of the program that made the list, which was compiled
// here. It adds the time of the commit, and a serial number that follows from the rest.
func settle(list []byte, created time.Time) ([]byte, error) {
	var bom map[string]any
	if err := json.Unmarshal(list, &bom); err != nil {
		return nil, err
	}
	metadata, _ := bom["metadata"].(map[string]any)
	tools, _ := metadata["tools"].([]any)
	if len(tools) == 0 {
		return nil, fmt.Errorf("it does not say what tool has made it")
	}
	for _, tool := range tools {
		if tool, ok := tool.(map[string]any); ok {
			delete(tool, "hashes")
		}
	}
	metadata["timestamp"] = created.UTC().Format(time.RFC3339)
	unnumbered, err := json.Marshal(bom)
	if err != nil {
		return nil, err
	}
	bom["serialNumber"] = serialNumber(unnumbered)
	content, err := json.MarshalIndent(bom, "", "  ")
	return append(content, '\n'), err
}

// serialNumber is a UUID (version 8: of one's own making) that follows from the content.
func serialNumber(content []byte) string {
	id := sha256.Sum256(content)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/muster-ha/muster/internal/api"
	"github.com/muster-ha/muster/internal/api/apitest"
)

var update = flag.Bool("update", false, "write golden files")

func openAPI(t *testing.T) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	api.Handler(apitest.New(), "v0.0.0").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, w.Body.Bytes(), "", " "); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(indented.Bytes()), '\n')
}

// The document is the promise that names stay: a change of this file has to be an addition.
func TestOpenAPIIsStable(t *testing.T) {
	const path = "testdata/openapi.json"
	got := openAPI(t)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the API has changed; if nothing was renamed or removed, run `go test ./internal/api -update`")
	}
}

func TestEveryFieldHasItsTooltip(t *testing.T) {
	type schema struct {
		Properties map[string]struct{ Description string }
	}
	var doc struct {
		Components struct{ Schemas map[string]schema }
		Paths      map[string]map[string]struct {
			Summary    string
			Parameters []struct{ Name, Description string }
		}
	}
	if err := json.Unmarshal(openAPI(t), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Components.Schemas) < 15 || len(doc.Paths) < 8 {
		t.Fatalf("%d schemas and %d paths: the document is not read right", len(doc.Components.Schemas), len(doc.Paths))
	}
	for name, s := range doc.Components.Schemas {
		for field, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no doc tag", name, field)
			}
		}
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: parameter %s has no doc tag", method, path, p.Name)
				}
			}
		}
	}
}

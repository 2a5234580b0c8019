package api

import (
	_ "embed"
	"html/template"
	"net/http"
	"sort"
	"strings"

	"github.com/labstack/echo/v4"
)

//go:embed docs.html
var docsHTML string

type operationDoc struct {
	Method, Path, Summary, Scope string
}

type tagDoc struct {
	Name, Description string
	Operations        []operationDoc
}

// docs answers GET /docs: the document as a page that needs no network.
func (s *Server) docs(c echo.Context) error {
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Type", "text/html; charset=utf-8")
	c.Response().WriteHeader(http.StatusOK)
	return page.Execute(c.Response(), map[string]any{
		"Info": s.contract.document.Info, "Tags": s.tagDocs(),
	})
}

func (s *Server) tagDocs() []tagDoc {
	byTag := map[string][]operationDoc{}
	for path, item := range s.contract.document.Paths.Map() {
		for method, operation := range item.Operations() {
			scope := "public"
			if !isPublic(operation) {
				scope = string(scopeOf(method, operation))
			}
			tag := strings.Join(operation.Tags, " ")
			byTag[tag] = append(byTag[tag], operationDoc{method, path, operation.Summary, scope})
		}
	}
	var tags []tagDoc
	for _, tag := range s.contract.document.Tags {
		operations := byTag[tag.Name]
		sort.Slice(operations, func(i, j int) bool {
			a, b := operations[i], operations[j]
			return a.Path < b.Path || a.Path == b.Path && a.Method < b.Method
		})
		tags = append(tags, tagDoc{tag.Name, tag.Description, operations})
	}
	return tags
}

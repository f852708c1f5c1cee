//! Renders runbooks as pages.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use crate::slug::HeadingIds;
use crate::{ALL, Runbook};

const STYLE: &str = "
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { max-width: 50rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; overflow-wrap: anywhere; }
nav, h1, h2, h3 { line-height: 1.3; }
h2 { margin-top: 2.2rem; border-bottom: 1px solid light-dark(#ddd, #444); }
:target { background: light-dark(#fff3bf, #4a3f0b); }
a { color: light-dark(#0b57d0, #8ab4f8); }
pre { overflow-x: auto; padding: .8rem 1rem; border-radius: 6px; background: light-dark(#f3f3f3, #262626); }
code { font: .9em ui-monospace, monospace; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
th, td { padding: .3rem .8rem; border: 1px solid light-dark(#ddd, #444); text-align: left; vertical-align: top; }
";

/// Where the links of a page lead.
struct Links<'a> {
    /// Whether there is a page with a name, such as `high-error-rate`.
    has_page: &'a dyn Fn(&str) -> bool,
    /// What the path of a file that is no page is called.
    path: fn(&str) -> String,
}

/// The page of a runbook.
pub(crate) fn page(runbook: Runbook) -> String {
    let links = Links { has_page: &|name| Runbook::named(name).is_some(), path: from_root };
    document(runbook.title(), &(body(runbook.markdown(), &links) + &index(runbook)), true)
}

/// The page of a runbook of another project: one file without scripts, which loads nothing. A link to `name.md` leads to `name.html`
/// if `has_page` is true of the name.
#[must_use]
pub fn render(markdown: &str, has_page: &dyn Fn(&str) -> bool) -> String {
    let links = Links { has_page, path: |path| path.trim_start_matches("../").to_owned() };
    let main = body(markdown, &links);
    let mut title = String::new();
    html::push_html(&mut title, std::iter::once(Event::Text(heading(markdown).into())));
    document(&title, &main, has_page("README"))
}

/// The heading of a text in Markdown.
pub(crate) fn heading(markdown: &str) -> &str {
    markdown.lines().next().unwrap_or_default().trim_start_matches('#').trim()
}

/// A page. `has_index` is whether there is a first page, which lists the others.
fn document(title: &str, main: &str, has_index: bool) -> String {
    let index = if has_index { "<nav><a href=\"README.html\">Runbooks</a></nav>\n" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}: runbook</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         {index}<main>\n{main}</main>\n</body>\n</html>\n"
    )
}

/// The list of all other pages, on the first one.
fn index(runbook: Runbook) -> String {
    let (first, others) = (ALL[0], &ALL[1..]);
    if runbook.name() != first.name() {
        return String::new();
    }
    let link = |page: &Runbook| format!("<li><a href=\"{}\">{}</a></li>\n", page.file_name(), page.title());
    format!("<h2 id=\"pages\">Pages</h2>\n<ul>\n{}</ul>\n", others.iter().map(link).collect::<String>())
}

/// The HTML of a text in Markdown.
fn body(markdown: &str, links: &Links<'_>) -> String {
    let mut events: Vec<_> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    add_heading_ids(&mut events);
    let mut body = String::new();
    html::push_html(&mut body, linked(events, links).into_iter());
    body
}

fn add_heading_ids(events: &mut [Event<'_>]) {
    let mut ids = HeadingIds::default();
    for at in 0..events.len() {
        if !matches!(events[at], Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let inside = events[at..].iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let text: String = inside.filter_map(text_of).collect();
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(ids.next(&text).into());
        }
    }
}

fn text_of<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        _ => None,
    }
}

/// Lets links lead to pages. What is no page, such as `../slo.md`, is named instead of linked. Text in angle brackets is text, and
/// not HTML.
fn linked<'e>(events: Vec<Event<'e>>, links: &Links<'_>) -> Vec<Event<'e>> {
    let mut linked = Vec::with_capacity(events.len());
    let mut unlinked = Vec::new();
    for event in events {
        match event {
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = links.target(&dest_url);
                unlinked.push(target.is_none().then(|| dest_url.clone()));
                if let Some(dest_url) = target.map(Into::into) {
                    linked.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
                }
            }
            Event::End(TagEnd::Link) => match unlinked.pop().flatten() {
                Some(path) => linked.push(Event::Text(format!(" ({})", (links.path)(&path)).into())),
                None => linked.push(Event::End(TagEnd::Link)),
            },
            Event::Html(text) | Event::InlineHtml(text) => linked.push(Event::Text(text)),
            event => linked.push(event),
        }
    }
    linked
}

impl Links<'_> {
    /// Where a link leads on the pages; `None` if it does not.
    fn target(&self, url: &str) -> Option<String> {
        if ["#", "http://", "https://"].iter().any(|start| url.starts_with(start)) {
            return Some(url.to_owned());
        }
        let (file, anchor) = url.split_once('#').map_or((url, None), |(file, anchor)| (file, Some(anchor)));
        let name = file.strip_suffix(".md").filter(|name| (self.has_page)(name))?;
        Some(anchor.map_or(format!("{name}.html"), |anchor| format!("{name}.html#{anchor}")))
    }
}

/// The path in the repository of a link that begins in `docs/runbooks`.
fn from_root(path: &str) -> String {
    path.strip_prefix("../../")
        .map_or_else(|| format!("docs/{}", path.trim_start_matches("../")), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(markdown: &str) -> String {
        let links = Links { has_page: &|name| Runbook::named(name).is_some(), path: from_root };
        super::body(markdown, &links)
    }

    #[test]
    fn a_page_of_another_project_links_to_its_own() {
        let text = "# A & b\n\nSee [c](c.md#d), [ours](high-error-rate.md), [more](../more.md).\n";
        let html = render(text, &|name| name == "c");
        assert!(html.contains("<title>A &amp; b: runbook</title>"), "{html}");
        assert!(
            html.contains("<a href=\"c.html#d\">c</a>, ours (high-error-rate.md), more (more.md)."),
            "{html}"
        );
        assert!(!html.contains("README"), "{html}");
        assert!(render(text, &|_| true).contains("<nav><a href=\"README.html\">"));
    }

    #[test]
    fn headings_have_ids_and_links_lead_to_pages() {
        let html =
            body("## Is it `a` drill?\n\nSee [it](high-error-rate.md#mitigate), [that](#is-it-a-drill).\n");
        assert!(html.contains("<h2 id=\"is-it-a-drill\">"), "{html}");
        assert!(html.contains("<a href=\"high-error-rate.html#mitigate\">it</a>"), "{html}");
        assert!(html.contains("<a href=\"#is-it-a-drill\">that</a>"), "{html}");
    }

    #[test]
    fn what_is_no_page_is_named() {
        let html = body("Read [the *rules*](../slo.md) and [the demo](../../README.md#run). <http://a:1>");
        let expected = "<p>Read the <em>rules</em> (docs/slo.md) and the demo (README.md#run). \
                        <a href=\"http://a:1\">http://a:1</a></p>\n";
        assert_eq!(html, expected);
    }

    #[test]
    fn no_markup_of_a_text_becomes_html() {
        let html = body("Ask <trace_id>.\n\n<script>alert(1)</script>\n\n`<b>` | [x](javascript:alert(1))\n");
        assert!(html.contains("&lt;trace_id&gt;") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("<code>&lt;b&gt;</code>"), "{html}");
        assert!(!html.contains("<script") && !html.contains("href="), "{html}");
    }

    #[test]
    fn tables_and_code_are_rendered() {
        let html = body("| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```sh\ncurl <x> && true\n```\n");
        assert!(html.contains("<table>") && html.contains("<td>2</td>"), "{html}");
        assert!(html.contains("curl &lt;x&gt; &amp;&amp; true"), "{html}");
    }

    #[test]
    fn the_first_page_lists_the_others() {
        let page = page(ALL[0]);
        for runbook in &ALL[1..] {
            assert!(page.contains(&format!(
                "<li><a href=\"{}\">{}</a>",
                runbook.file_name(),
                runbook.title()
            )));
        }
        assert!(page.contains("default-src 'none'") && !page.contains("<script"));
    }
}

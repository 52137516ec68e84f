-- text.splitter: separators, overlap, Markdown, batches, options.
local text = require("text")
local check = require("check")

local function joined(list)
    return list and table.concat(list, "|")
end

local function recursive(opts, s)
    return joined(text.splitter.recursive(opts):split_text(s))
end

local function markdown(opts, s)
    opts.chunk_size, opts.chunk_overlap = opts.chunk_size or 100, opts.chunk_overlap or 0
    return joined(text.splitter.markdown(opts):split_text(s))
end

local function main()
    check.equal("short", recursive(nil, "one two"), "one two")
    check.equal("empty", recursive(nil, ""), "")
    check.equal("words", recursive({ chunk_size = 10, chunk_overlap = 0 }, "aaa bbb ccc ddd eee"), "aaa bbb|ccc ddd|eee")
    check.equal("overlap", recursive({ chunk_size = 10, chunk_overlap = 4 }, "aaa bbb ccc ddd"), "aaa bbb|bbb ccc|ccc ddd")
    check.equal("floats", recursive({ chunk_size = 10.0, chunk_overlap = 0.0 }, "aaa bbb ccc"), "aaa bbb|ccc")
    check.equal("paragraphs", recursive({ chunk_size = 12, chunk_overlap = 0 }, "first one\n\nsecond\n\nx"), "first one|second\n\nx")
    check.equal("long word", recursive({ chunk_size = 4, chunk_overlap = 0 }, "abcdefghij"), "abcd|efgh|ij")
    check.equal("characters", recursive({ chunk_size = 2, chunk_overlap = 0 }, "éèà"), "éè|à")
    check.equal("own separators", recursive({ chunk_size = 4, chunk_overlap = 0, separators = { ";" } }, "aa;bb;cccccc"), "aa|bb|cccccc")
    check.equal("kept", recursive({ chunk_size = 4, chunk_overlap = 0, separators = { ";" }, keep_separator = true }, "aa;bb;cc"), "aa|;bb|;cc")
    check.equal("headings", markdown({}, "# A\n\ntext a\n\n## B\n\ntext b\n"), "# A\ntext a|## B\ntext b")
    check.equal("hierarchy", markdown({ heading_hierarchy = true }, "# A\n\n## B\n\ntext b\n\n# C\n"), "# A\n## B\ntext b|# C")
    check.equal("no code", markdown({}, "a\n\n```lua\n# no\n```\nb"), "a\n\nb")
    check.equal("code", markdown({ code_blocks = true }, "a\n\n```lua\n# no\n```\nb"), "a\n\n```lua\n# no\n```\nb")
    local t = "|h|i|\n|-|-|\n|1|2|\n|3|4|\n"
    check.equal("rows", markdown({}, t), "|h|i|\n|-|-|\n|1|2|||h|i|\n|-|-|\n|3|4|")
    check.equal("joined rows", markdown({ join_table_rows = true }, t), "|h|i|\n|-|-|\n|1|2|\n|3|4|")
    check.equal("references", markdown({ reference_links = true }, "see [the docs][d] and [d][]\n\n[d]: http://x/\n"),
        "see [the docs](http://x/) and [d](http://x/)")
    local s = text.splitter.recursive({ chunk_size = 4, chunk_overlap = 0 })
    local pages, err = s:split_batch({ { content = "aaa bbb", metadata = { page = 1 } }, { content = "c" } })
    check.equal("no error", err, nil)
    check.equal("batch", #pages .. pages[2].content .. pages[2].metadata.page .. pages[3].content, "3bbb1c")
    check.equal("no metadata", pages[3].metadata, nil)
    local value
    value, err = s:split_batch({ { text = "x" } })
    check.equal("odd page", err:kind(), "Invalid")
    value, err = text.splitter.recursive({ chunk_size = 10, chunk_overlap = 10 })
    check.equal("overlap too large", err:message(), "chunk_overlap must be less than chunk_size")
    value, err = text.splitter.markdown({ chunk_size = 0 })
    check.equal("no size", err:kind(), "Invalid")
    value, err = text.splitter.recursive({ chunk_size = "x" })
    check.equal("odd size", err:kind(), "Invalid")
    return check.over()
end

return { main = main }

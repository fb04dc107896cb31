"""Plays encodings: prints `encodings.jsonl`, what CPython writes for texts in each encoding and error policy."""

import json

TEXTS = [
    "plain ASCII\n",
    "Zoë naïve façade ß ÿ\n",
    "Łódź žluťoučký őű\n",
    "Привет, мир\n",
    "Ελληνικά\n",
    "日本語のログ、カタカナ ｶﾀｶﾅ ①\n",
    "简体中文，日志\n",
    "繁體中文\n",
    "한국어 로그\n",
    "שלום العربية ไทย\n",
    "price €5 – “quoted” … ™\n",
    "🎉 and \u00a0 and \u2028\n",
]
ENCODINGS = """utf-8 utf-8-sig utf-16 utf-16-le utf-16-be ascii latin-1 iso8859-2 iso8859-5 iso8859-7 iso8859-15 cp1250 cp1251 cp1252
cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 cp866 koi8_r koi8_u mac_roman shift_jis cp932 euc_jp iso2022_jp gbk gb18030 big5
euc_kr cp949""".split()
POLICIES = ["strict", "replace", "ignore", "backslashreplace", "xmlcharrefreplace"]

for encoding in ENCODINGS:
    for text in TEXTS:
        written = {}
        for policy in POLICIES:
            try:
                written[policy] = text.encode(encoding, policy).hex()
            except UnicodeEncodeError:
                written[policy] = None
        print(json.dumps({"encoding": encoding, "text": text, "written": written}, ensure_ascii=False))

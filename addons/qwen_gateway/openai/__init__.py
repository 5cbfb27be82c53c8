"""The clients' dialect: what OpenAI's API takes and gives. Pure; knows no upstream."""
